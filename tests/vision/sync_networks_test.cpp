#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "hashed_frame.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "vision/preprocess.hpp"
#include "vision/sync/face_track.hpp"
#include "vision/sync/lag_distances.hpp"
#include "vision/sync/mfcc.hpp"
#include "vision/sync/syncnet.hpp"

namespace svi::vision {
namespace {

using ::testing::HasSubstr;

at::Tensor sync_oracle(const std::string& name) {
  return SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/sync.safetensors").load(name);
}

double sync_difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// As make_sync_fixtures.py fills the network.
NamedTensors syncnet_tensors() {
  auto tensors = svi::testing::hashed_weights(svi::testing::tensor_list("syncnet_tensors.tsv"));
  for (auto& [name, tensor] : tensors) {
    if (name.starts_with("netfclip.3.")) tensor = tensor / 16;
  }
  return tensors;
}

TEST(VisionMfcc, AgreesWithPythonSpeechFeatures) {
  const Mfcc mfcc;
  const auto samples = sync_oracle("samples"), wanted = sync_oracle("mfcc");
  const auto count = Mfcc::frames(samples.size(0));
  ASSERT_EQ(count, wanted.size(0));
  EXPECT_LT(sync_difference(mfcc(samples, 0, count), wanted), 1e-10);
  EXPECT_LT(sync_difference(mfcc(samples, 7, 20), wanted.narrow(0, 7, 20)), 1e-10);
  EXPECT_LT(sync_difference(mfcc(samples, count - 1, 1), wanted.narrow(0, count - 1, 1)), 1e-10);
}

TEST(VisionMfcc, FillsUpTheEndOfShortSoundsAndKnowsSilence) {
  const Mfcc mfcc;
  const auto samples = sync_oracle("samples");
  for (const std::int64_t length : {1, 400, 401, 560, 561}) {
    const auto wanted = sync_oracle(cat("mfcc.short.", length));
    ASSERT_EQ(Mfcc::frames(length), wanted.size(0)) << length;
    const auto seen = mfcc(samples.narrow(0, 2000, length), 0, wanted.size(0));
    EXPECT_LT(sync_difference(seen, wanted), 1e-10) << length;
  }
  EXPECT_LT(sync_difference(mfcc(at::zeros({800}, at::kShort), 0, 4), sync_oracle("mfcc.silence")),
            1e-10);
  EXPECT_EQ(Mfcc::frames(0), 0);
  EXPECT_THROW(mfcc(samples, 0, Mfcc::frames(samples.size(0)) + 1), Error);
}

TEST(VisionSyncNet, AgreesWithTheOriginalNetwork) {
  const SyncNet network(Weights(syncnet_tensors(), "syncnet_v2.model"));
  const auto frames = ((svi::testing::hashed("sync.frames", {7, 3, 14, 14}) * 0.5 + 0.5) * 255)
                          .round()
                          .repeat_interleave(16, 2)
                          .repeat_interleave(16, 3)
                          .transpose(0, 1);
  const auto seen = network.seen(frames);  // windows 0, 1, 2; the oracle looked at 0 and 2
  ASSERT_TRUE(seen.sizes().equals({3, 1024}));
  EXPECT_LT(sync_difference(at::stack({seen[0], seen[2]}), sync_oracle("seen")), 2e-5);

  const auto heard = network.heard(svi::testing::hashed("sync.sound", {3, 13, 20}) * 20);
  EXPECT_LT(sync_difference(heard, sync_oracle("heard")), 2e-5);
}

TEST(VisionSyncNet, RefusesOtherFilesByTheTensorThatDoesNotFit) {
  auto tensors = syncnet_tensors();
  tensors.emplace_back("face_encoder.0.weight", at::zeros({1}));
  try {
    SyncNet(Weights(tensors, "lipsync_expert.pth"));
    FAIL() << "another network was taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lipsync_expert.pth: 1 tensors have no place"));
    EXPECT_THAT(error.what(), HasSubstr("face_encoder.0.weight"));
  }
}

TEST(VisionLagDistances, AgreeWithPlainSumsOverAllShifts) {
  const auto seen = svi::testing::hashed("lags.seen", {23, 6});
  const auto heard = svi::testing::hashed("lags.heard", {23, 6});
  LagDistances lags;
  for (std::int64_t i = 0; i < 23; ++i) lags.add(seen[i], heard[i]);
  const auto means = lags.finish();
  EXPECT_LT(sync_difference(at::tensor(means, at::kDouble), sync_oracle("distances")), 1e-6);
}

TEST(VisionLagDistances, FindAKnownShift) {
  const auto sound = svi::testing::hashed("shift", {80, 16});
  for (const std::int64_t late : {-4, 0, 3}) {  // the sound comes so many windows late
    LagDistances lags;
    for (std::int64_t i = 10; i < 70; ++i) lags.add(sound[i + late], sound[i]);
    const auto scores = scores_of(lags.finish());
    EXPECT_EQ(scores.offset, -late);
    EXPECT_GT(scores.confidence, 1);
  }
  EXPECT_TRUE(LagDistances().finish().empty());
}

FaceBoxes still_face(std::int64_t first, std::int64_t frames) {
  FaceBoxes boxes;
  for (std::int64_t t = 0; t < frames; ++t) boxes[first + t] = {40, 30, 60, 70};
  return boxes;
}

TEST(VisionFaceTrack, IsSmoothedAsScipysMedianFilterDoes) {
  const auto values = (svi::testing::hashed("track", {40}) * 50 + 100).to(at::kDouble);
  FaceBoxes boxes;
  for (std::int64_t t = 0; t < 40; ++t) {
    const double x = values[t].item<double>();
    boxes[t] = {x - 10, 0, x + 10, 8};
  }
  const auto track = track_of(boxes, 25);
  ASSERT_TRUE(track);
  ASSERT_EQ(track->places.size(), 40u);
  const auto wanted = sync_oracle("track");
  for (std::size_t t = 0; t < 40; ++t) {
    const auto& place = track->places[t];
    EXPECT_NEAR(place.x, wanted[static_cast<std::int64_t>(t)].item<double>(), 1e-9) << t;
    EXPECT_EQ(place.half, 10);
  }
}

TEST(VisionFaceTrack, FillsGapsAndFollowsOtherRates) {
  FaceBoxes boxes{{10, {0, 0, 10, 10}}, {50, {40, 80, 50, 90}}};  // one pixel a frame
  const auto track = track_of(boxes, 50);                         // every second frame
  ASSERT_TRUE(track);
  EXPECT_EQ(track->first, 5);
  ASSERT_EQ(track->places.size(), 21u);
  EXPECT_NEAR(track->places[10].x, 5 + 20, 1e-9);
  EXPECT_NEAR(track->places[10].y, 5 + 40, 1e-9);
  EXPECT_EQ(source_frame(2, 24), 1);  // 1.92
  EXPECT_EQ(source_frame(25, 24), 24);
  EXPECT_FALSE(track_of(still_face(3, 12), 25));
  EXPECT_TRUE(track_of(still_face(3, 13), 25));
}

TEST(VisionFaceTrack, CutsTheSquareWithItsMarginsAndGreyBeyondTheFrame) {
  // Half 20 around (30, 25): rows 5 to 61, columns 2 to 58. Each pixel of 56 becomes 4 x 4.
  const auto levels = (svi::testing::hashed("face", {3, 80, 90}) * 100 + 128).round();
  const auto crop = face_crop(levels, {30, 25, 20});
  const auto wanted =
      resized(levels.slice(1, 5, 61).slice(2, 2, 58), 224, 224, {Filter::bilinear, false}).round();
  EXPECT_TRUE(at::equal(crop, wanted));
  const auto corner = face_crop(levels, {0, 0, 20});
  EXPECT_EQ(corner[0][0][0].item<float>(), 110);
  EXPECT_EQ(corner[2][77][109].item<float>(), 110);  // above and left of the frame
  EXPECT_NE(corner[2][82][114].item<float>(), 110);  // inside
  EXPECT_EQ(whole_frame(levels).size(2), 224);
}

TEST(VisionFaceTrack, ReadsBoxesFromCsvAndNamesTheLineOfAMistake) {
  const auto films = parse_boxes(
      "frame,film,left,top,right,bottom\n0,a.mp4,1,2,3.5,4\n7,b,1,2,3,4\n", "boxes.csv");
  ASSERT_EQ(films.size(), 2u);
  EXPECT_EQ(films.at("a").at(0).right, 3.5);
  EXPECT_EQ(films.at("b").count(7), 1u);
  const auto complaint = [](const std::string& rows, const std::string& head) {
    try {
      parse_boxes(head + rows, "boxes.csv");
    } catch (const IoError& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  const std::string head = "film,frame,left,top,right,bottom\n";
  EXPECT_THAT(complaint("", "film,frame\n"), HasSubstr("boxes.csv:1: no column is called left"));
  EXPECT_THAT(complaint("a,0,1,2,3\n", head), HasSubstr("boxes.csv:2: has 5 fields"));
  EXPECT_THAT(complaint("a,0,1,2,x,4\n", head), HasSubstr("boxes.csv:2: right is 'x'"));
  EXPECT_THAT(complaint("a,0.5,1,2,3,4\n", head), HasSubstr("boxes.csv:2: is no box"));
  EXPECT_THAT(complaint("a,0,3,2,3,4\n", head), HasSubstr("boxes.csv:2: is no box"));
  EXPECT_THAT(complaint("a,0,1,2,3,4\na.mp4,0,1,2,3,4\n", head),
              HasSubstr("boxes.csv:3: is the second box of frame 0 of a"));
}

}  // namespace
}  // namespace svi::vision
