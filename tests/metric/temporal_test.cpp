#include "svi/metric/temporal.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "recording_sink.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

/// A film whose brightness grows by `steps[t]` after frame t.
at::Tensor ramp(const std::vector<double>& steps) {
  auto film = at::zeros({3, static_cast<std::int64_t>(steps.size()) + 1, 8, 8});
  double level = 0.1;
  for (std::int64_t t = 0; t < film.size(1); ++t) {
    film.select(1, t).fill_(level);
    if (t < static_cast<std::int64_t>(steps.size())) level += steps[static_cast<std::size_t>(t)];
  }
  return film;
}

TEST(TemporalFlickering, IsOneMinusTheMeanChange) {
  auto frames = at::full({3, 3, 4, 4}, 100, at::kByte);
  frames[1].fill_(110);
  frames[2].fill_(105);

  EXPECT_NEAR(temporal_flickering(frames), 1 - 7.5 / 255, 1e-8);
  EXPECT_EQ(temporal_flickering(frames[0].unsqueeze(0).repeat({2, 1, 1, 1})), 1.0);
  EXPECT_THROW(temporal_flickering(frames.to(at::kFloat)), Error);
  EXPECT_THROW(temporal_flickering(frames.slice(0, 0, 1)), Error);
}

TEST(TemporalFlickering, AddsInNumPysOrder) {
  // np.mean of an fp32 array of the changes, NumPy 2.4.6: below, at and above its blocks of 8, its
  // limit of 128, and ranges halved once and more. Plain sums differ from all but the first two.
  const std::pair<std::int64_t, double> of_length[] = {
      {2, 0.6745098039215687},   {8, 0.5902894562365962},   {9, 0.6013071695963542},
      {10, 0.5886710073433671},  {16, 0.6572548959769454},  {17, 0.654656862745098},
      {18, 0.6579008214613971},  {128, 0.6668313419117647}, {129, 0.6666768990310968},
      {130, 0.6647616218118106}, {131, 0.6643740485696231}, {137, 0.6624567368451286},
      {258, 0.6636301078048407}, {301, 0.6641176410749847}, {1001, 0.6651934455422794}};
  for (const auto& [length, expected] : of_length) {
    const auto t = at::arange(length, at::kLong).view({-1, 1, 1, 1});
    const auto channel = at::arange(3, at::kLong).view({1, 3, 1, 1});
    const auto levels = (t * t * 7 + t * (31 + 40 * channel) + 90 * channel).remainder(251);

    EXPECT_EQ(temporal_flickering(levels.to(at::kByte)), expected) << length << " frames";
  }
}

TEST(TemporalFlicker, IsUndefinedForASingleFrameAlone) {
  const auto film = ramp({0.1, 0.12});

  const auto one_by_one = measure(TemporalFlickerMetric({}), film, 1).clips.at("temporal_flicker");
  const auto pair = measure(TemporalFlickerMetric({}), film.slice(1, 0, 2), 2);

  ASSERT_EQ(one_by_one.size(), 3u);
  EXPECT_TRUE(std::isnan(one_by_one[0]));
  EXPECT_NEAR(one_by_one[1], 1 - 25.0 / 255, 1e-6);  // levels 26, 51, 82
  EXPECT_NEAR(one_by_one[2], 1 - 31.0 / 255, 1e-6);
  EXPECT_NEAR(pair.clips.at("temporal_flicker")[0], 1 - 25.0 / 255, 1e-6);
}

TEST(TemporalFlicker, OfClipsAveragesToTheWholeFilms) {
  const auto film = normal({4, Purpose::test, 0, 0}, {3, 12, 8, 8}).mul(0.1).add(0.5).clamp(0, 1);
  const auto bytes = (film * 255).round().to(at::kByte).transpose(0, 1);

  const auto seen = measure(TemporalFlickerMetric({}), film, 4).clips.at("temporal_flicker");

  // 3 pairs in the first clip, 4 in each other: the one across the seam belongs to the later clip.
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_NEAR((3 * seen[0] + 4 * seen[1] + 4 * seen[2]) / 11, temporal_flickering(bytes), 1e-8);
}

TEST(SeamJump, ComparesTheSeamWithTheClipsOwnChange) {
  const auto film = ramp({0.01, 0.01, 0.05, 0.01, 0.01, 0.01, 0.02, 0.02});

  const auto seen = measure(SeamJumpMetric({}), film, 3).clips.at("seam_jump");

  ASSERT_EQ(seen.size(), 3u);
  EXPECT_TRUE(std::isnan(seen[0]));
  EXPECT_NEAR(seen[1], 5, 1e-3);
  EXPECT_NEAR(seen[2], 0.5, 1e-3);
}

TEST(SeamJump, IsUndefinedForClipsOfOneFrame) {
  const auto film = ramp({0.1, 0.1, 0.1, 0.2});

  const auto single = measure(SeamJumpMetric({}), film, 1).clips.at("seam_jump");
  for (const double jump : single) EXPECT_TRUE(std::isnan(jump)) << jump;
  const auto pairs = measure(SeamJumpMetric({}), film.slice(1, 0, 4), 2).clips.at("seam_jump");
  EXPECT_NEAR(pairs[1], 1, 1e-3);
}

TEST(SeamJump, TakesAFloorFromABillionthToOne) {
  const auto floor = [](const std::string& value) {
    auto document = Document::parse("[metric]\nfloor = " + value + "\n", "x.ini");
    return parse_config<SeamJumpMetric::Config>(document, "metric").floor;
  };

  EXPECT_EQ(floor("1e-9"), 1e-9);
  EXPECT_EQ(floor("1"), 1);
  EXPECT_THROW(floor("0.99e-9"), ConfigError);
  EXPECT_THROW(floor("1.01"), ConfigError);
}

TEST(SeamJump, IsFiniteForStills) {
  auto film = at::full({3, 4, 8, 8}, 0.5);
  film.slice(1, 2) += 0.1;

  const auto seen = measure(SeamJumpMetric({}), film, 2).clips.at("seam_jump");

  EXPECT_TRUE(std::isfinite(seen[1]));
  EXPECT_GT(seen[1], 50);
}

TEST(Motion, IsTheShareOfTheTruthsChange) {
  const auto truth = ramp({0.02, 0.02, 0.02}), slow = ramp({0.01, 0.01, 0.01});

  EXPECT_NEAR(measure(MotionMetric({}), slow, 4, truth).clips.at("motion")[0], 0.5, 1e-3);
  EXPECT_NEAR(measure(MotionMetric({}), truth, 4, truth).clips.at("motion")[0], 1, 1e-6);
  EXPECT_TRUE(std::isnan(measure(MotionMetric({}), slow, 4).clips.at("motion")[0]));
}

TEST(Motion, IsUndefinedWhereTheTruthStandsStillOrIsOneFrame) {
  const auto still = ramp({0, 0, 0}), moving = ramp({0.01, 0.01, 0.01});

  EXPECT_TRUE(std::isnan(measure(MotionMetric({}), moving, 4, still).clips.at("motion")[0]));
  EXPECT_EQ(measure(MotionMetric({}), still, 4, moving).clips.at("motion")[0], 0);
  EXPECT_NEAR(measure(MotionMetric({}), moving, 2, moving).clips.at("motion")[1], 1, 1e-6);
  const auto single = measure(MotionMetric({}), moving, 1, moving).clips.at("motion");
  for (const double motion : single) EXPECT_TRUE(std::isnan(motion)) << motion;
  EXPECT_TRUE(MotionMetric({}).quantities()[0].needs_truth);
}

}  // namespace
}  // namespace svi
