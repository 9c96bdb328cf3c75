#include "svi/metric/temporal.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "recording_sink.hpp"
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

}  // namespace
}  // namespace svi
