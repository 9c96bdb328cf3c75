#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "evaluate/tiny_models.hpp"
#include "experiment/pool_batches.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kSeed = 9;
constexpr std::int64_t kStep = 3;

at::Tensor gaussian(std::uint32_t stream, at::IntArrayRef sizes) {
  return normal({2, Purpose::test, stream, 0}, sizes);
}

/// Four clips of 5 frames of 16 x 16: F = 2 latent frames of 4 x 4, four mask channels.
struct Fixture {
  WanVae vae = test::tiny_vae();
  test::CopyingModel model;
  EulerSampler sampler{EulerSampler::Config{.steps = 2}};
  LatentPool pool{.latent = gaussian(1, {4, 2, 2, 4, 4}),
                  .image = gaussian(2, {4, 6, 2, 4, 4}),
                  .image_one = {},
                  .tail = gaussian(3, {4, 2, 1, 4, 4}),
                  .text = gaussian(4, {4, 2, 3})};
  TrainingPlan plan;  // one motion frame
  PoolRollouts rollouts{{pool, model, vae, sampler}, plan, kSeed, at::kCPU};

  /// One clip at a time, as it is written down.
  GeneratedClips plain(const CarriedStart& start) const {
    const c10::NoGradGuard no_grad;
    const auto stream = static_cast<std::uint32_t>(start.index);
    const auto clip =
        static_cast<std::int64_t>(uniform_index({kSeed, Purpose::rollout_start, stream, kStep}, 4));
    auto image = pool.image[clip].clone();
    if (start.carried.defined()) {
      for (std::int64_t f = 0; f < start.carried.size(1); ++f) {
        for (std::int64_t c = 0; c < 2; ++c) image[4 + c][f] += start.carried[c][f];
      }
    }
    const auto noise = normal({kSeed, Purpose::rollout_noise, stream, kStep}, {1, 2, 2, 4, 4});
    const Condition condition{pool.text[clip].unsqueeze(0), image.unsqueeze(0), {}};
    const auto video = vae.decode(sampler.sample(model, noise, condition, nullptr)).clamp(-1, 1);
    return {pool.tail[clip].unsqueeze(0), tail_latents(vae, video, 1)};
  }
};

TEST(PoolRollouts, AsOneBatchEqualClipsOneAtATime) {
  Fixture fixture;
  const auto before = fixture.pool.image.clone();
  const std::vector<CarriedStart> starts = {
      {0, {}}, {4, gaussian(10, {2, 1, 4, 4})}, {5, gaussian(11, {2, 2, 4, 4})}, {7, {}}};
  const auto clips = fixture.rollouts.generate(kStep, starts);

  ASSERT_EQ(clips.generated.size(0), 4);
  for (std::size_t b = 0; b < starts.size(); ++b) {
    const auto expected = fixture.plain(starts[b]);
    const auto row = static_cast<std::int64_t>(b);
    EXPECT_TRUE(at::equal(clips.truth[row], expected.truth[0]));
    // Batched kernels round in another order.
    EXPECT_TRUE(at::allclose(clips.generated[row], expected.generated[0], 1e-4, 1e-4)) << b;
  }
  EXPECT_TRUE(at::equal(fixture.pool.image, before));
}

}  // namespace
}  // namespace svi
