// How often training samples see all motion frames, and that picture, condition and image branch
// tell the same.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "experiment/jobs/pool_batches.hpp"
#include "svi/core/random.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kFilmSeed = 4;
constexpr std::int64_t kClips = 7, kPerStep = 8, kSteps = 250;

/// Clip i has the value i everywhere, i + 100 where one frame is told.
LatentPool counted_pool(bool clip_one) {
  const auto rows = [](double more, at::IntArrayRef sizes) {
    return (at::arange(kClips, at::kFloat) + more).view({-1, 1, 1, 1, 1}).expand(sizes).clone();
  };
  const std::vector<std::int64_t> image = {kClips, 3, 2, 1, 1};
  const auto flat = [&](double more) { return rows(more, image).flatten(1).unsqueeze(1); };
  LatentPool pool{.latent = rows(0, {kClips, 1, 2, 1, 1}),
                  .tail = rows(0, {kClips, 1, 1, 1, 1}),
                  .condition = {{part::kText, at::zeros({kClips, 1, 2})},
                                {part::kImage, rows(0, image)},
                                {part::kClip, flat(0)}},
                  .image_one = rows(100, image)};
  if (clip_one) pool.clip_one = flat(100);
  return pool;
}

TEST(MotionFrames, AreAllToldAsOftenAsTheProbabilitySays) {
  const auto pool = counted_pool(true), shared = counted_pool(false);
  const TrainingPlan plan{.motion_frames = 5, .motion_probability = 0.9, .condition = {}};
  PoolBatches batches(pool, plan, kFilmSeed, kPerStep), same(shared, plan, kFilmSeed, kPerStep);
  std::int64_t ones = 0;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const auto batch = batches.batch(step, 0, kPerStep), other = same.batch(step, 0, kPerStep);
    for (std::int64_t b = 0; b < kPerStep; ++b) {
      const auto clip = batch.latent[b].flatten()[0].item<double>();
      const bool one = uniform({kFilmSeed, Purpose::motion_frames, static_cast<std::uint32_t>(b),
                                static_cast<std::uint32_t>(step)}) >= 0.9;
      ones += one;
      const auto told = clip + (one ? 100 : 0);
      EXPECT_TRUE(batch.condition[part::kImage][b].eq(told).all().item<bool>());
      EXPECT_TRUE(batch.condition[part::kClip][b].eq(told).all().item<bool>());
      EXPECT_TRUE(other.condition[part::kImage][b].eq(told).all().item<bool>());
      EXPECT_TRUE(other.condition[part::kClip][b].eq(clip).all().item<bool>());
    }
  }
  const auto samples = static_cast<double>(kSteps * kPerStep);
  EXPECT_NEAR(static_cast<double>(ones), 0.1 * samples, 4 * std::sqrt(0.09 * samples));
}

TEST(MotionFrames, DoNotDependOnTheSlotsThatASampleIsAskedIn) {
  const auto pool = counted_pool(true);
  const TrainingPlan plan{.motion_frames = 5, .motion_probability = 0.5, .condition = {}};
  PoolBatches together(pool, plan, kFilmSeed, kPerStep), apart(pool, plan, kFilmSeed, kPerStep);
  for (std::int64_t step = 0; step < 5; ++step) {
    const auto whole = together.batch(step, 0, kPerStep);
    for (std::int64_t b = kPerStep - 1; b >= 0; --b) {
      const auto one = apart.batch(step, b, 1);
      EXPECT_TRUE(at::equal(one.latent[0], whole.latent[b]));
      EXPECT_TRUE(at::equal(one.condition[part::kImage][0], whole.condition[part::kImage][b]));
      EXPECT_TRUE(at::equal(one.condition[part::kClip][0], whole.condition[part::kClip][b]));
    }
  }
}

}  // namespace
}  // namespace svi
