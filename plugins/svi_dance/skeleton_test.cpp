#include "skeleton/skeleton.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace svi::skeleton {
namespace {

std::vector<int> pixel(const at::Tensor& picture, std::int64_t row, std::int64_t column) {
  std::vector<int> colour;
  for (std::int64_t c = 0; c < 3; ++c) colour.push_back(picture[c][row][column].item<int>());
  return colour;
}

TEST(Skeleton, AVerticalLimbCoversItsEllipseAlone) {
  Person person;
  person.body[2] = {0.5, 0.2, true};  // right shoulder to elbow: yellow at 60 %
  person.body[3] = {0.5, 0.8, true};
  const auto picture = draw(person, 100, 80, {.joint = 0});
  std::int64_t painted = 0;
  for (std::int64_t row = 0; row < 100; ++row) {
    for (std::int64_t column = 0; column < 80; ++column) {
      const double along = (static_cast<double>(row) - 50) / 30.5,
                   across = (static_cast<double>(column) - 40) / 4.5;
      const bool inside = along * along + across * across <= 1;
      if (column == 40 && (row == 20 || row == 80)) continue;  // a joint without radius
      EXPECT_EQ(pixel(picture, row, column),
                inside ? (std::vector<int>{153, 102, 0}) : (std::vector<int>{0, 0, 0}))
          << row << " " << column;
      painted += inside;
    }
  }
  EXPECT_NEAR(static_cast<double>(painted), 3.14159 * 30.5 * 4.5, 20);
  // Its joints in full colour over it.
  const auto whole = draw(person, 100, 80);
  EXPECT_EQ(pixel(whole, 20, 40), (std::vector<int>{255, 170, 0}));
  EXPECT_EQ(pixel(whole, 80, 44), (std::vector<int>{255, 255, 0}));
  EXPECT_EQ(pixel(whole, 80, 45), (std::vector<int>{0, 0, 0}));
}

TEST(Skeleton, DrawsOnlyWhatIsSeen) {
  Person person;
  EXPECT_FALSE(person.seen());
  EXPECT_EQ(draw(person, 20, 20).sum().item<std::int64_t>(), 0);
  person.body[2] = {0.5, 0.2, true};
  EXPECT_TRUE(person.seen());
  const auto joint = draw(person, 100, 100);
  person.body[3] = {0.5, 0.8, false};
  EXPECT_TRUE(at::equal(draw(person, 100, 100), joint));
  person.body[2] = {5, -3, true};  // outside of the picture
  EXPECT_EQ(draw(person, 20, 20).sum().item<std::int64_t>(), 0);
}

/// Whether a pixel or one of its 8 neighbours has that colour.
at::Tensor near(const at::Tensor& picture, const at::Tensor& other) {
  const auto wide = at::constant_pad_nd(picture.to(at::kShort), {1, 1, 1, 1}, -1);
  auto found = at::zeros({picture.size(1), picture.size(2)}, at::kBool);
  for (std::int64_t dy = 0; dy < 3; ++dy) {
    for (std::int64_t dx = 0; dx < 3; ++dx) {
      const auto moved = wide.slice(1, dy, dy + picture.size(1)).slice(2, dx, dx + picture.size(2));
      found |= moved.eq(other.to(at::kShort)).all(0);
    }
  }
  return found;
}

class SkeletonParityTest : public ::testing::TestWithParam<const char*> {};

// OpenCV's polygons and circles have edges of their own: every pixel of each picture is found in
// the other one within one pixel.
TEST_P(SkeletonParityTest, IsWhatOpenCvDrawsButForItsRounding) {
  const auto file =
      SafetensorsFile::open(cat(SVI_SOURCE_DIR "/tests/data/dance/", GetParam(), ".safetensors"));
  const auto body = file.load("body"), hands = file.load("hands"), expected = file.load("picture");
  const auto point = [](const at::Tensor& xy) {
    const auto x = xy[0].item<double>();
    return Point{x, xy[1].item<double>(), x >= 0};
  };
  Person person;
  for (std::size_t i = 0; i < kBodyPoints; ++i)
    person.body[i] = point(body[static_cast<std::int64_t>(i)]);
  for (std::int64_t h = 0; h < hands.size(0); ++h)
    for (std::size_t i = 0; i < kHandPoints; ++i)
      person.hands[static_cast<std::size_t>(h)][i] = point(hands[h][static_cast<std::int64_t>(i)]);
  const auto ours = draw(person, expected.size(1), expected.size(2));
  const auto painted = (ours.amax(0).gt(0) | expected.amax(0).gt(0)).sum().item<double>();
  const auto differ = ours.ne(expected).any(0).sum().item<double>() / painted;
  const auto lost = (~near(ours, expected)).sum().item<double>() / painted;
  const auto extra = (~near(expected, ours)).sum().item<double>() / painted;
  std::cout << GetParam() << ": " << painted << " painted, differ " << differ << ", lost " << lost
            << ", extra " << extra << std::endl;
  EXPECT_LE(differ, 0.04);
  EXPECT_LE(lost, 0.002);
  EXPECT_LE(extra, 0.002);
}

INSTANTIATE_TEST_SUITE_P(Pictures, SkeletonParityTest,
                         ::testing::Values("drawn_body", "drawn_hands", "drawn_parts"));

}  // namespace
}  // namespace svi::skeleton
