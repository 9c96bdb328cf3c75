#include "vision/sync/face_detector.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "hashed_frame.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace svi::vision {
namespace {

/// What make_face_fixtures.py computed.
at::Tensor face_answer(const std::string& name) {
  return SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/faces.safetensors").load(name);
}

at::Tensor face_levels() {
  return svi::testing::hashed("faces", {3, 176, 232})
      .to(at::kDouble)
      .mul(127.5)
      .add(127.5)
      .round()
      .to(at::kFloat);
}

S3fd hashed_detector() {
  return S3fd(Weights(svi::testing::hashed_weights(svi::testing::tensor_list("s3fd_tensors.tsv")),
                      "sfd_face.pth"));
}

TEST(S3fd, AgreesWithSyncnetPythonOnEveryPrior) {
  // Half the size: the mean of four levels, as two taps see it; OpenCV rounds a half up.
  const auto picture = at::avg_pool2d(face_levels().unsqueeze(0), 2)[0].add(0.5).floor();
  const auto seen = hashed_detector().look(picture);
  const auto scores = face_answer("scores"), boxes = face_answer("boxes");
  ASSERT_EQ(seen.scores.sizes(), scores.sizes());
  EXPECT_LT((seen.scores - scores).abs().max().item<double>(), 2e-5);
  EXPECT_LT((seen.boxes - boxes).abs().max().item<double>(), 2e-5);
}

TEST(S3fd, FindsTheFacesThatItFinds) {
  const auto wanted = face_answer("faces");  // left, top, right, bottom, score
  const auto faces =
      hashed_detector().find(face_levels(), 0.5, face_answer("threshold").item<double>());
  ASSERT_EQ(static_cast<std::int64_t>(faces.size()), wanted.size(0));
  for (std::size_t i = 0; i < faces.size(); ++i) {
    const auto row = wanted[static_cast<std::int64_t>(i)];
    EXPECT_NEAR(faces[i].score, row[4].item<double>(), 5e-4);
    EXPECT_NEAR(faces[i].box.left, row[0].item<double>(), 0.2);
    EXPECT_NEAR(faces[i].box.top, row[1].item<double>(), 0.2);
    EXPECT_NEAR(faces[i].box.right, row[2].item<double>(), 0.2);
    EXPECT_NEAR(faces[i].box.bottom, row[3].item<double>(), 0.2);
  }
}

TEST(S3fd, RefusesAnotherFileByTheTensorThatDoesNotFit) {
  EXPECT_THROW(S3fd(Weights({{"vgg.0.weight", at::zeros({1})}}, "other.pth")), IoError);
}

Face face_at(double left, double top, double side) {
  return {{left, top, left + side, top + side}, 0.95};
}

TEST(FaceTracker, FollowsTheFaceThatIsFoundMostOften) {
  FaceTracker tracker(5);
  for (std::int64_t t = 0; t < 40; ++t) {
    std::vector<Face> faces;
    if (t < 20) faces.push_back(face_at(300 + static_cast<double>(t), 50, 120));
    if (t % 4 != 1) faces.push_back(face_at(10 + 2 * static_cast<double>(t), 40, 110));
    tracker.add(t, faces);
  }
  const auto found = tracker.longest(10, 100);
  ASSERT_EQ(found.size(), 30u);
  EXPECT_EQ(found.begin()->first, 0);
  EXPECT_EQ(found.at(38).left, 86);
  EXPECT_EQ(tracker.longest(10, 115).size(), 20u);  // only the other is so large
  EXPECT_TRUE(tracker.longest(30, 100).empty());
}

TEST(FaceTracker, EndsAtCutsAtGapsAndWhereFacesJump) {
  FaceTracker cut(5), gap(5), jump(5);
  for (std::int64_t t = 0; t < 30; ++t) {
    if (t == 12) cut.cut();
    cut.add(t, {face_at(0, 0, 120)});
    gap.add(t, t < 10 || t >= 16 ? std::vector<Face>{face_at(0, 0, 120)} : std::vector<Face>());
    jump.add(t, {face_at(t < 20 ? 0 : 100, 0, 120)});
  }
  EXPECT_EQ(cut.longest(0, 0).begin()->first, 12);
  EXPECT_EQ(cut.longest(0, 0).size(), 18u);
  EXPECT_EQ(gap.longest(0, 0).begin()->first, 16);
  EXPECT_EQ(jump.longest(0, 0).size(), 20u);
}

TEST(FaceTracker, OverlapIsIntersectionOverUnion) {
  EXPECT_DOUBLE_EQ(overlap({0, 0, 10, 10}, {5, 0, 15, 10}), 50.0 / 150);
  EXPECT_DOUBLE_EQ(overlap({0, 0, 10, 10}, {20, 0, 30, 10}), 0);
  EXPECT_DOUBLE_EQ(overlap({0, 0, 0, 0}, {0, 0, 0, 0}), 0);
}

}  // namespace
}  // namespace svi::vision
