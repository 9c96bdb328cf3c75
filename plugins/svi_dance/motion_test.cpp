#include "skeleton/motion.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "skeleton/track.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"

namespace svi::skeleton {
namespace {

using ::testing::HasSubstr;

/// `count` points at (10 i + first, 5 i + first), all of them sure.
std::string points(int count, double first = 1, double confidence = 0.9) {
  std::string text = "[";
  for (int i = 0; i < count; ++i) {
    text += cat(i > 0 ? ", " : "", first + 10 * i, ", ", first + 5 * i, ", ", confidence);
  }
  return text + "]";
}

std::string person(int count, double first = 1, double confidence = 0.9) {
  return "{\"pose_keypoints_2d\": " + points(count, first, confidence) + "}";
}

std::string people(const std::string& persons, const std::string& more = {}) {
  return "{\"version\": 1.3, \"people\": [" + persons + "]" + more + "}";
}

constexpr const char* kCanvas = ", \"canvas_width\": 500, \"canvas_height\": 250";

class MotionTest : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::string problem(const std::string& path, const MotionRules& rules = {.owner = "[e]"}) const {
    try {
      read_motion(path, rules);
    } catch (const IoError& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
};

TEST_F(MotionTest, ReadsBodiesOf18And25PointsAndHands) {
  const auto one = people(person(18), kCanvas);
  const auto other = people("{\"pose_keypoints_2d\": " + points(25) +
                                ", \"hand_left_keypoints_2d\": " + points(21, 3) +
                                ", \"hand_right_keypoints_2d\": []}",
                            kCanvas);
  const auto motion = read_motion(file("walk.json", "[" + one + ", " + other + "]"), {});
  ASSERT_EQ(motion.frames.size(), 2u);
  EXPECT_EQ(motion.width, 500);
  EXPECT_EQ(motion.height, 250);
  const auto& coco = motion.frames[0];
  for (std::size_t i = 0; i < 18; ++i) {
    EXPECT_DOUBLE_EQ(coco.body[i].x, (1 + 10 * static_cast<double>(i)) / 500);
    EXPECT_DOUBLE_EQ(coco.body[i].y, (1 + 5 * static_cast<double>(i)) / 250);
    EXPECT_TRUE(coco.body[i].seen);
  }
  EXPECT_FALSE(coco.body[18].seen);
  EXPECT_FALSE(coco.hands[0][0].seen);
  const auto& body25 = motion.frames[1];
  EXPECT_DOUBLE_EQ(body25.body[7].x, 71.0 / 500);
  EXPECT_DOUBLE_EQ(body25.body[8].x, 91.0 / 500) << "the middle of the hips is no point of COCO";
  EXPECT_DOUBLE_EQ(body25.body[17].x, 181.0 / 500);
  EXPECT_DOUBLE_EQ(body25.body[18].x, 196.0 / 500) << "left toes: the mean of points 19 and 20";
  EXPECT_DOUBLE_EQ(body25.body[19].x, 226.0 / 500) << "right toes: the mean of points 22 and 23";
  EXPECT_DOUBLE_EQ(body25.hands[0][20].x, 203.0 / 500);
  EXPECT_FALSE(body25.hands[1][0].seen);
}

TEST_F(MotionTest, ReadsAFolderOfFilesInOrderOfNames) {
  file("b_000001_keypoints.json", people(person(18, 2), kCanvas));
  file("b_000000_keypoints.json", people(person(18, 1), kCanvas));
  file("notes.txt", "none");
  const auto motion = read_motion(folder_ / "", {});
  ASSERT_EQ(motion.frames.size(), 2u);
  EXPECT_DOUBLE_EQ(motion.frames[0].body[0].x, 1.0 / 500);
  EXPECT_DOUBLE_EQ(motion.frames[1].body[0].x, 2.0 / 500);
}

TEST_F(MotionTest, TakesSharesOfThePictureAndLeavesUnsurePointsOut) {
  const auto motion = read_motion(
      file("s.json", people("{\"pose_keypoints_2d\": [0.5,0.25,0.9, 0.1,0.2,0.29, 0,0,0.8"
                            ", 0.3,0.4,0.3, 0,0,0, 0,0,0, 0,0,0, 0,0,0, 0,0,0, 0,0,0, 0,0,0"
                            ", 0,0,0, 0,0,0, 0,0,0, 0,0,0, 0,0,0, 0,0,0, 0,0,0]}")),
      {});
  EXPECT_EQ(motion.width, 0);
  const auto& body = motion.frames[0].body;
  EXPECT_TRUE(body[0].seen);
  EXPECT_DOUBLE_EQ(body[0].x, 0.5);
  EXPECT_FALSE(body[1].seen);
  EXPECT_FALSE(body[2].seen);
  EXPECT_TRUE(body[3].seen);
}

TEST_F(MotionTest, RefusesWhatIsNoMotionOfOnePersonByName) {
  const auto two = file("two.json", people(person(18) + ", " + person(18, 4), kCanvas));
  EXPECT_THAT(problem(two),
              HasSubstr("two.json: shows 2 persons; one is animated. Set [e] person = 0"));
  EXPECT_DOUBLE_EQ(read_motion(two, {.person = 1}).frames[0].body[0].x, 4.0 / 500);

  const auto gap =
      file("gap.json", "[" + people(person(18), kCanvas) + ", " + people("", kCanvas) + "]");
  EXPECT_THAT(problem(gap), HasSubstr("gap.json: frame 1: shows no person"));
  EXPECT_THAT(problem(gap), HasSubstr("missing = hold"));
  EXPECT_TRUE(read_motion(gap, {.missing = MissingRule::hold}).frames[1].seen());
  EXPECT_FALSE(read_motion(gap, {.missing = MissingRule::black}).frames[1].seen());
  EXPECT_THAT(problem(file("none.json", people("")), {.missing = MissingRule::black}),
              HasSubstr("none.json: shows no person in any of its 1 frames"));

  const auto pixels = file("pixels.json", people(person(18)));
  EXPECT_THAT(problem(pixels), HasSubstr("set [e] canvas = WIDTH, HEIGHT"));
  EXPECT_DOUBLE_EQ(
      read_motion(pixels, {.canvas_width = 200, .canvas_height = 100}).frames[0].body[0].x, 0.005);

  EXPECT_THAT(problem(folder_ / "absent.json"), HasSubstr("absent.json: no such file or folder"));
  EXPECT_THAT(problem(file("cut.json", people(person(18), kCanvas).substr(0, 90))),
              HasSubstr("cut.json: is no JSON, or a part of it is missing"));
  EXPECT_THAT(problem(file("other.json", "{\"a\": 1}")), HasSubstr("has no list `people`"));
  EXPECT_THAT(problem(file("empty.json", "[]")), HasSubstr("empty.json: holds no frame"));
  EXPECT_THAT(problem(file("odd.json", people(person(17), kCanvas))),
              HasSubstr("a body has 17 points"));
  EXPECT_THAT(problem(file("text.json", people("{\"pose_keypoints_2d\": [\"a\", 1, 2]}"))),
              HasSubstr("pose_keypoints_2d is no list of numbers"));
  EXPECT_THAT(problem(file("canvas.json", people(person(18), ", \"canvas_width\": -5"))),
              HasSubstr("canvas_width = -5 is no size"));
  const auto deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(problem(file("deep.json", people(person(18), ", \"canvas_width\": " + deep))),
              HasSubstr("canvas_width is no number"));
  const TemporaryFolder bare;
  EXPECT_THAT(problem(bare / ""), HasSubstr("holds no .json file"));
}

TEST_F(MotionTest, ReadsArraysOfNumPy) {
  const std::string data = SVI_SOURCE_DIR "/tests/data/dance/";
  const auto whole = read_motion(data + "whole_body.npz", {});
  ASSERT_EQ(whole.frames.size(), 3u);
  for (std::size_t t = 0; t < 3; ++t) {
    const auto x = [&](double point) { return 0.001 * point + 0.1 * static_cast<double>(t); };
    const auto& person = whole.frames[t];
    EXPECT_NEAR(person.body[17].x, x(17), 1e-6);
    EXPECT_NEAR(person.body[17].y, 0.9 - 0.017, 1e-6);
    EXPECT_NEAR(person.body[18].x, x(18.5), 1e-6) << "left toes";
    EXPECT_NEAR(person.body[19].x, x(21.5), 1e-6) << "right toes";
    EXPECT_NEAR(person.hands[0][0].x, x(92), 1e-6);
    EXPECT_NEAR(person.hands[1][20].x, x(133), 1e-6);
  }
  const auto body = read_motion(data + "body.npz", {});
  ASSERT_EQ(body.frames.size(), 2u);
  EXPECT_DOUBLE_EQ(body.frames[1].body[3].x, 0.103);
  EXPECT_FALSE(body.frames[1].hands[0][0].seen);

  EXPECT_THAT(problem(data + "compressed.npz"),
              HasSubstr("numpy.savez instead of savez_compressed"));
  EXPECT_THAT(problem(file("text.npz", std::string(100, 'a'))), HasSubstr("is no .npz file"));
  EXPECT_THAT(problem(file("short.npz", "PK")), HasSubstr("is no .npz file"));
  // Cut anywhere: refused by name.
  std::ifstream in(data + "body.npz", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t length = 0; length < all.size(); length += 7)
    EXPECT_THAT(problem(file("cut.npz", all.substr(0, length))), HasSubstr("cut.npz: ")) << length;
}

TEST_F(MotionTest, AFrameShowsTheLatestPoseThatIsNotAfterIt) {
  Motion motion;  // a nose that goes to the right, 20 pixels a pose
  for (int t = 0; t < 12; ++t) {
    motion.frames.emplace_back();
    motion.frames.back().body[0] = {(10 + 20 * t) / 256.0, 0.5, true};
  }
  const auto shown = [&](double rate, double fps) {
    const SkeletonTrack track(motion, rate, fps, 256, 256);
    std::vector<std::int64_t> poses;
    for (std::int64_t k = 0; k < track.frames(); ++k)
      poses.push_back((track.read(k, 1)[0][0][128].argmax().item<std::int64_t>() - 6) / 20);
    return poses;
  };
  EXPECT_EQ(shown(0, 25), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(shown(50, 25), (std::vector<std::int64_t>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(shown(30, 20), (std::vector<std::int64_t>{0, 1, 3, 4, 6, 7, 9, 10}));
  EXPECT_EQ(shown(12.5, 25).size(), 24u);
  const SkeletonTrack track(motion, 0, 25, 256, 256);
  EXPECT_TRUE(at::equal(track.read(3, 5), track.read(0, 12).narrow(0, 3, 5)));
  EXPECT_THROW(track.read(8, 5), Error);
}

}  // namespace
}  // namespace svi::skeleton
