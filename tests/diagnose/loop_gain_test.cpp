#include "svi/diagnose/loop_gain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "diagnose/fakes.hpp"

namespace svi {
namespace {

using test::FakeArm;
using test::number_of;
using test::values_of;
using testing::HasSubstr;

const std::vector<std::string> kStatic = {"brightness", "tint", "low_frequency", "blocks", "noise"};

LoopGain::Config small_gain() {
  LoopGain::Config config;
  config.directions = kStatic;
  config.scenes = 3;
  config.noises = 1;
  config.clips = 4;
  config.batch = 2;
  return config;
}

// Latents are frames in [-1, 1]: one unit of latent is half the full range. The codec is exact to a
// few 1e-6, the damage .05 at least: gains to 1e-4.
constexpr double kExact = 1e-4;

TEST(IdentityVae, GivesBackWhatItGets) {
  const auto vae = test::identity_vae();
  const auto video = test::noise_image(1).unsqueeze(0).unsqueeze(2).repeat({1, 1, 3, 1, 1});

  EXPECT_LT((vae.encode(video) - video).abs().max().item<double>(), 1e-5);
  EXPECT_LT((vae.decode(video) - video).abs().max().item<double>(), 1e-5);
}

TEST(LoopGain, OfACopyingModelIsOne) {
  FakeArm arm;
  arm.source.images = {test::noise_image(1), test::noise_image(2)};

  const auto report = arm.run(LoopGain(small_gain()));

  for (std::int64_t d = 0; d < 5; ++d) {
    EXPECT_NEAR(number_of(report, "gain", d), 1, kExact) << kStatic[static_cast<std::size_t>(d)];
    EXPECT_NEAR(number_of(report, "total_gain", d), 1, kExact);
    EXPECT_LT(number_of(report, "residual", d), 1e-3);
    EXPECT_NEAR(number_of(report, "bias", d), 0, 1e-6);
    EXPECT_LT(values_of(report, "measured_rms")[d].max().item<double>(), 1e-5);
  }
}

TEST(LoopGain, OfARestoringModelIsZero) {
  FakeArm arm;
  arm.model.gain = 0;

  const auto report = arm.run(LoopGain(small_gain()));

  for (std::int64_t d = 0; d < 5; ++d) {
    EXPECT_NEAR(number_of(report, "gain", d), 0, kExact);
    EXPECT_NEAR(number_of(report, "total_gain", d), 0, kExact);
  }
}

TEST(LoopGain, FindsGainAndBiasOfAnAffineModelInAllDirections) {
  FakeArm arm;
  arm.model.gain = 0.8;
  arm.model.bias = 0.04;  // in each channel: brightness alone
  auto config = small_gain();
  config.directions.emplace_back("model_mean");

  const auto report = arm.run(LoopGain(config));

  for (std::int64_t d = 0; d < 6; ++d) EXPECT_NEAR(number_of(report, "gain", d), 0.8, kExact);
  EXPECT_NEAR(number_of(report, "bias", 0), 0.02, 1e-5);
  for (std::int64_t d = 1; d < 5; ++d) EXPECT_NEAR(number_of(report, "bias", d), 0, 1e-5);
  EXPECT_NEAR(number_of(report, "bias", 5), 0.02, 1e-5);  // its own mean error, whatever that is
  EXPECT_NEAR(number_of(report, "limit_rms", 0), 0.02 / (1 - 0.8), 1e-4);
}

TEST(LoopGain, PredictsTheChainOfAnAffineModelExactly) {
  FakeArm arm;
  arm.model.gain = 0.7;
  arm.model.bias = -0.06;
  auto config = small_gain();
  config.clips = 6;

  const auto report = arm.run(LoopGain(config));

  const auto predicted = values_of(report, "predicted_rms")[0],
             measured = values_of(report, "measured_rms")[0];
  for (std::int64_t k = 0; k < 6; ++k) {
    const double closed = 0.03 * (1 - std::pow(0.7, k + 1)) / (1 - 0.7);
    EXPECT_NEAR(predicted[k].item<double>(), closed, 1e-4);
    EXPECT_NEAR(measured[k].item<double>(), closed, 1e-4);
  }
}

TEST(LoopGain, PredictsTheSpreadOfAChainWithFreshErrors) {
  FakeArm arm;
  arm.model.gain = 0.9;
  arm.model.fresh = 0.1;
  auto config = small_gain();
  config.directions = {"brightness"};
  config.scenes = 64;
  config.noises = 4;
  config.clips = 12;
  config.batch = 64;

  const auto report = arm.run(LoopGain(config));

  // The mean of independent noise over 3 H W numbers, in halves of the full range.
  const double s = 0.1 / 2 / std::sqrt(3.0 * FakeArm::kHeight * FakeArm::kWidth);
  EXPECT_NEAR(number_of(report, "gain"), 0.9, 1e-3);     // the same noise in both clips cancels
  EXPECT_NEAR(number_of(report, "fresh"), s, 0.13 * s);  // 3 deviations of 256 draws
  EXPECT_NEAR(number_of(report, "bias"), 0, 3 * s / 16);
  EXPECT_LT(number_of(report, "scene_bias"), 0.3 * s);  // none; 4 noises leave some chance
  const auto measured = values_of(report, "measured_rms")[0];
  for (const std::int64_t k : {0, 5, 11}) {
    const double closed = s * std::sqrt((1 - std::pow(0.81, k + 1)) / (1 - 0.81));
    EXPECT_NEAR(measured[k].item<double>(), closed, 0.27 * closed);  // 3 deviations of 64 films
  }
}

TEST(LoopGain, TellsAScenesOwnErrorFromFreshOnes) {
  // A model that takes all scenes for the mean: each has a bias of its own, (g - 1) c / 2.
  FakeArm arm;
  arm.model.gain = 0.8;
  arm.source.images.clear();
  for (const double c : {-0.2, 0.1, 0.4})
    arm.source.images.push_back(at::full({3, FakeArm::kHeight, FakeArm::kWidth}, c));
  auto config = small_gain();
  config.directions = {"brightness"};
  config.noises = 2;
  config.clips = 6;

  const auto report = arm.run(LoopGain(config));

  const double mean = 0.1, deviation = 0.3, rms = std::sqrt(0.07);  // of c
  EXPECT_NEAR(number_of(report, "scene_bias"), 0.1 * deviation, 1e-5);
  const auto lasting = values_of(report, "predicted_rms_lasting")[0],
             measured = values_of(report, "measured_rms")[0];
  for (std::int64_t k = 0; k < 6; ++k) {
    const double reached = (1 - std::pow(0.8, k + 1)) / 2;
    EXPECT_NEAR(lasting[k].item<double>(), reached * std::hypot(mean, deviation), 1e-4);
    EXPECT_NEAR(measured[k].item<double>(), reached * rms, 1e-4);
  }
}

TEST(LoopGain, ChanceErrorsAreNoBiasOfTheModelsMean) {
  FakeArm arm;
  arm.model.gain = 0.5;
  arm.model.fresh = 0.2;
  auto config = small_gain();
  config.directions = {"model_mean"};
  config.scenes = 32;
  config.batch = 32;

  const auto report = arm.run(LoopGain(config));

  // The mean of 32 errors of .1 has an RMS of .018, which a scene's own error in it would show as a
  // bias; without, what is left is chance: .1 / sqrt(3 H W 32) = .001.
  EXPECT_LT(std::abs(number_of(report, "bias")), 0.004);
}

TEST(LoopGain, OfBlurIsTheSameWhateverTheStrength) {
  FakeArm arm;
  arm.model.gain = 0.6;
  arm.source.images = {test::noise_image(1), test::noise_image(2)};
  auto config = small_gain();
  config.directions = {"blur"};
  for (const auto& amplitudes : {std::vector<double>{0.1}, {-0.02, 0.02}}) {
    config.amplitudes = amplitudes;
    const auto report = arm.run(LoopGain(config));
    EXPECT_NEAR(number_of(report, "gain"), 0.6, kExact);
    // x -> .6 x moves a picture along its own blur, so there is a bias too.
    EXPECT_GT(number_of(report, "bias"), 0.01);
  }
}

TEST(LoopGain, CountsTheDamageThatClippingLeaves) {
  FakeArm arm;
  arm.model.gain = 0.5;
  arm.source.images = {at::full({3, FakeArm::kHeight, FakeArm::kWidth}, 0.98)};
  arm.model.mean = at::full({1, 3, 1, 1, 1}, 0.98);
  auto config = small_gain();
  config.directions = {"brightness"};
  config.amplitudes = {0.1};

  const auto report = arm.run(LoopGain(config));

  EXPECT_NEAR(number_of(report, "damage"), 0.01, 1e-6);
  EXPECT_NEAR(number_of(report, "gain"), 0.5, 1e-3);
}

TEST(LoopGain, NeedsNoTruthButForBiasAndChains) {
  FakeArm arm;
  arm.model.gain = 0.8;
  arm.source.knows_truth = false;

  const auto report = arm.run(LoopGain(small_gain()));

  EXPECT_NEAR(number_of(report, "gain"), 0.8, kExact);
  for (const auto* name : {"bias", "fresh", "limit_rms", "predicted_rms", "measured_rms"})
    EXPECT_TRUE(values_of(report, name).isnan().all().item<bool>()) << name;
}

TEST(LoopGain, DoesNotDependOnTheBatch) {
  FakeArm arm;
  arm.model.gain = 0.8;
  arm.model.fresh = 0.1;
  auto one = small_gain(), all = small_gain();
  one.batch = 1;
  all.batch = 3;

  const auto a = arm.run(LoopGain(one)), b = arm.run(LoopGain(all));

  for (const auto& result : a.results) {
    EXPECT_TRUE(at::allclose(result.values, values_of(b, result.name), 0, 1e-6, true))
        << result.name;
  }
}

TEST(LoopGain, DamagesAllFramesThatAreHandedOver) {
  FakeArm arm;
  arm.chain.motion_frames = 2;
  arm.model.gain = 0.8;

  const auto report = arm.run(LoopGain(small_gain()));

  EXPECT_NEAR(number_of(report, "gain"), 0.8, kExact);
  EXPECT_NEAR(number_of(report, "damage"), 0.1, 1e-6);
}

TEST(LoopGainConfig, RefusesUnknownAndDoubleDirections) {
  LoopGain::Config config;
  config.directions = {"brightnes"};
  EXPECT_THAT(config.problem(), HasSubstr("did you mean 'brightness'"));
  config.directions = {"tint", "tint"};
  EXPECT_THAT(config.problem(), HasSubstr("twice"));
  config.directions = {"tint"};
  config.amplitudes = {0.1, 0};
  EXPECT_THAT(config.problem(), HasSubstr("amplitudes"));
}

TEST(PredictedRms, EndsWhereTheClosedFormSays) {
  const double g = 0.9, b = 0.01, s = 0.03;
  const auto curve = predicted_rms(g, b, s, 400);

  EXPECT_NEAR(curve[0], std::hypot(b, s), 1e-15);
  EXPECT_NEAR(curve.back(), std::hypot(b / (1 - g), s / std::sqrt(1 - g * g)), 1e-12);
  EXPECT_NEAR(curve.back(), limit_rms(g, b, s), 1e-12);
}

TEST(PredictedRms, OfACopyingModelIsARandomWalk) {
  const auto curve = predicted_rms(1, 0, 0.02, 100);

  for (std::size_t k = 0; k < curve.size(); ++k)
    EXPECT_NEAR(curve[k], 0.02 * std::sqrt(static_cast<double>(k + 1)), 1e-12);
  EXPECT_TRUE(std::isinf(limit_rms(1, 0, 0.02)));
  EXPECT_EQ(limit_rms(1, 0, 0), 0);
  EXPECT_TRUE(std::isnan(limit_rms(1, std::nan(""), 0)));
}

}  // namespace
}  // namespace svi
