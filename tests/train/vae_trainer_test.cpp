#include "svi/train/vae_trainer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/random.hpp"

namespace svi {
namespace {

WanVae tiny_vae() {
  return WanVae(
      {.dim = 4, .z_dim = 3, .dim_mult = {1, 2}, .num_res_blocks = 1, .temporal_downsample = {1}});
}

VaePretrainerConfig codec_config(std::int64_t steps) {
  return {.steps = steps,
          .batch = 2,
          .seed = 3,
          .warmup = 5,
          .idempotence_every = 2,
          .statistics_batches = 4};
}

/// Flat colours that fade: something a tiny codec learns within a second.
at::Tensor fading_colours(std::int64_t step) {
  auto colours = at::empty({2, 3, 1, 1, 1}, at::kFloat);
  fill_uniform({9, Purpose::test, 0, static_cast<std::uint32_t>(step)},
               colours.mutable_data_ptr<float>(), 6);
  const auto fade = at::linspace(1, 0.5, 5).view({1, 1, 5, 1, 1});
  return ((colours * 2 - 1) * fade).expand({2, 3, 5, 8, 8}).contiguous();
}

bool equal_weights(const WanVae& a, const WanVae& b) {
  const auto left = a.parameters(), right = b.parameters();
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (!at::equal(left[i].second, right[i].second)) return false;
  }
  return true;
}

TEST(VaePretrainer, LearnsToReconstructInEitherPrecision) {
  for (const bool bf16 : {false, true}) {
    auto vae = tiny_vae();
    auto settings = codec_config(60);
    settings.learning_rate = 1e-2;
    settings.bf16_activations = bf16;
    VaePretrainer trainer(vae, settings, [](std::int64_t) { return fading_colours(0); });
    const double first = trainer.advance().reconstruction;
    double last = first;
    while (!trainer.finished()) last = trainer.advance().reconstruction;

    EXPECT_LT(last, 0.5 * first) << bf16;
  }
}

TEST(VaePretrainer, StartsAsACodecOfSingleFramesWhereAsked) {
  WanVae vae(
      {.dim = 4, .z_dim = 3, .dim_mult = {1, 2}, .num_res_blocks = 1, .temporal_downsample = {0}});
  auto settings = codec_config(20);
  settings.still_start = true;
  settings.short_frames = 1;
  settings.short_share = 1;
  VaePretrainer trainer(vae, settings, fading_colours);
  while (!trainer.finished()) trainer.advance();
  trainer.finish();
  const auto clip = fading_colours(40);

  const auto latent = vae.encode(clip);
  const auto video = vae.decode(latent);

  for (std::int64_t t = 0; t < 5; ++t) {
    const auto alone = vae.encode(clip.narrow(2, t, 1));
    EXPECT_TRUE(at::allclose(latent.narrow(2, t, 1), alone, 1e-4, 1e-5)) << t;
    EXPECT_TRUE(at::allclose(video.narrow(2, t, 1), vae.decode(alone), 1e-4, 1e-5)) << t;
  }
}

TEST(VaePretrainer, LeavesLatentsOfZeroMeanAndUnitVariance) {
  auto vae = tiny_vae();
  VaePretrainer trainer(vae, codec_config(30), fading_colours);
  while (!trainer.finished()) trainer.advance();
  trainer.finish();
  std::vector<at::Tensor> latents;
  for (std::int64_t i = 0; i < 4; ++i) latents.push_back(vae.encode(fading_colours(30 + i)));
  const auto values = at::cat(latents).transpose(0, 1).flatten(1);  // [z, values]

  EXPECT_LT(values.mean(1).abs().max().item<float>(), 1e-3);
  EXPECT_LT((values.std(1) - 1).abs().max().item<float>(), 1e-2);
  EXPECT_FALSE(values.requires_grad());
}

TEST(VaePretrainer, ResumesBitForBit) {
  auto whole = tiny_vae();
  VaePretrainer straight(whole, codec_config(12), fading_colours);
  while (!straight.finished()) straight.advance();

  auto first = tiny_vae();
  VaePretrainer before(first, codec_config(12), fading_colours);
  for (int i = 0; i < 5; ++i) before.advance();
  auto second = tiny_vae();
  VaePretrainer after(second, codec_config(12), fading_colours);
  after.load(before.state());
  while (!after.finished()) after.advance();

  EXPECT_EQ(after.step(), 12);
  EXPECT_TRUE(equal_weights(whole, second));
  EXPECT_FALSE(equal_weights(whole, first));
}

TEST(VaePretrainer, AnotherSeedGivesAnotherModel) {
  auto a = tiny_vae(), b = tiny_vae();
  auto other = codec_config(2);
  other.seed = 4;
  VaePretrainer(a, codec_config(2), fading_colours).advance();
  VaePretrainer(b, other, fading_colours).advance();

  EXPECT_FALSE(equal_weights(a, b));
}

}  // namespace
}  // namespace svi
