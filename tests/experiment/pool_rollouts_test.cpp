#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "experiment/jobs/pool_batches.hpp"
#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/chain.hpp"
#include "svi/model/wan/condition.hpp"
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
  explicit Fixture(Handover handover = Handover::pixels) : chain(handing_over(handover)) {}

  static ChainOptions handing_over(Handover handover) {  // one motion frame
    ChainOptions options;
    options.handover = handover;
    return options;
  }

  WanVae vae = test::tiny_vae();
  test::CopyingModel model;
  EulerSampler sampler{EulerSampler::Config{.steps = 2}};
  LatentPool pool{.latent = gaussian(1, {4, 2, 2, 4, 4}),
                  .tail = gaussian(3, {4, 2, 1, 4, 4}),
                  .condition = {{part::kImage, gaussian(2, {4, 6, 2, 4, 4})},
                                {part::kText, gaussian(4, {4, 2, 3})}}};
  NoGuidance guidance;
  OptionChain chain;
  RolloutConfig config;
  Studio studio{model, vae, {}, chain, sampler, guidance, config, {5, 16, 16}};
  PoolRollouts rollouts{pool, studio, kSeed, at::kCPU};

  /// One clip at a time, as it is written down.
  GeneratedClips plain(const CarriedStart& start) const {
    const c10::NoGradGuard no_grad;
    const auto stream = static_cast<std::uint32_t>(start.index);
    const auto clip =
        static_cast<std::int64_t>(uniform_index({kSeed, Purpose::rollout_start, stream, kStep}, 4));
    auto image = pool.condition[part::kImage][clip].clone();
    if (start.carried.defined()) {
      for (std::int64_t f = 0; f < start.carried.size(1); ++f) {
        for (std::int64_t c = 0; c < 2; ++c) image[4 + c][f] += start.carried[c][f];
      }
    }
    const auto noise = normal({kSeed, Purpose::training_rollout, stream, kStep}, {1, 2, 2, 4, 4});
    const Condition condition{{part::kText, pool.condition[part::kText][clip].unsqueeze(0)},
                              {part::kImage, image.unsqueeze(0)}};
    const auto video =
        vae.decode(sampler.sample(Denoiser(model, guidance, condition), noise)).clamp(-1, 1);
    return {pool.tail[clip].unsqueeze(0), tail_latents(vae, video, 1)};
  }
};

TEST(PoolRollouts, AsOneBatchEqualClipsOneAtATime) {
  Fixture fixture;
  const auto before = fixture.pool.condition[part::kImage].clone();
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
  EXPECT_TRUE(at::equal(fixture.pool.condition[part::kImage], before));
}

TEST(PoolBatches, ShowEveryClipOnceBeforeAnyAgain) {
  Fixture fixture;
  PoolBatches batches(fixture.pool, {}, kSeed, 3);  // four clips, three samples a step
  std::vector<int> seen(4);
  const auto count = [&](std::int64_t step, std::int64_t first, std::int64_t size) {
    const auto batch = batches.batch(step, first, size);
    for (std::int64_t b = 0; b < size; ++b) {
      for (std::size_t clip = 0; clip < 4; ++clip) {
        const auto row = static_cast<std::int64_t>(clip);
        seen[clip] += at::equal(batch.latent[b], fixture.pool.latent[row]);
      }
    }
  };

  for (std::int64_t step = 0; step < 4; ++step) {  // twelve samples: three epochs
    count(step, 2, 1);                             // in another order than they come, as ranks ask
    count(step, 0, 2);
  }

  EXPECT_EQ(seen, (std::vector<int>{3, 3, 3, 3}));
}

TEST(PoolBatches, BringTheTracksThatTheModelReads) {
  Fixture fixture;
  fixture.pool.condition.set("sound", at::arange(20, at::kFloat).view({4, 5, 1}));
  PoolBatches deaf(fixture.pool, {}, kSeed, 3), hearing(fixture.pool, {}, kSeed, 3, {"sound"});

  EXPECT_EQ(deaf.batch(1, 0, 3).condition.names(), (std::vector<std::string>{"image", "text"}));
  const auto batch = hearing.batch(1, 0, 3);
  for (std::int64_t b = 0; b < 3; ++b) {
    const auto clip = batch.condition["sound"][b][0].item().toLong() / 5;
    EXPECT_TRUE(at::equal(batch.condition["sound"][b], fixture.pool.condition["sound"][clip]));
    EXPECT_TRUE(at::equal(batch.latent[b], fixture.pool.latent[clip]));
    EXPECT_TRUE(
        at::equal(batch.condition[part::kText][b], fixture.pool.condition[part::kText][clip]));
  }
  EXPECT_THROW(PoolBatches(fixture.pool, {}, kSeed, 3, {"pose"}), ConfigError);
}

TEST(PoolRollouts, HandOverLatentsWhereTheMethodDoes) {
  Fixture fixture(Handover::latent);
  const auto clips = fixture.rollouts.generate(kStep, {{0, {}}, {4, {}}});

  for (std::int64_t b = 0; b < 2; ++b) {
    const std::uint32_t stream = b == 0 ? 0 : 4;
    const auto clip =
        static_cast<std::int64_t>(uniform_index({kSeed, Purpose::rollout_start, stream, kStep}, 4));
    EXPECT_TRUE(at::equal(clips.truth[b], fixture.pool.latent[clip].narrow(1, 1, 1)));
  }
  EXPECT_EQ(clips.generated.sizes(), clips.truth.sizes());
}

TEST(PoolRollouts, RoundFramesAsFilmsDo) {
  Fixture plain, rounding;
  rounding.config.rounding = FrameRounding::truncate;
  rounding.studio.rollout = rounding.config;
  PoolRollouts rollouts(rounding.pool, rounding.studio, kSeed, at::kCPU);

  const auto exact = plain.rollouts.generate(kStep, {{0, {}}}).generated;
  const auto truncated = rollouts.generate(kStep, {{0, {}}}).generated;

  EXPECT_FALSE(at::equal(exact, truncated));
}

TEST(PoolRollouts, AreGuidedAsFilmsAre) {
  Fixture fixture;
  const ClassifierFreeGuidance guidance({.scale = 3});
  const Studio studio{fixture.model, fixture.vae,    {},         fixture.chain, fixture.sampler,
                      guidance,      fixture.config, {5, 16, 16}};
  PoolRollouts guided(fixture.pool, studio, kSeed, at::kCPU);
  fixture.model.passes = 0;

  guided.generate(kStep, {{0, {}}});

  EXPECT_EQ(fixture.model.passes, 4);  // two steps of two passes
}

}  // namespace
}  // namespace svi
