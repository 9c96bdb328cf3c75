#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>

#include "svi/core/check.hpp"
#include "svi/injection/bernoulli.hpp"
#include "svi/injection/builtins.hpp"
#include "svi/injection/scheduled.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {
namespace {

constexpr std::uint32_t kDraws = 20000;

/// How often clean, noise, latent and image were drawn.
std::array<double, 4> rates(const InjectionPolicy& policy, std::uint32_t step = 3,
                            std::int64_t total = 10) {
  std::array<double, 4> counts{};
  for (std::uint32_t sample = 0; sample < kDraws; ++sample) {
    const auto injection = policy.draw({7, sample, step, total, 0.5});
    const std::array<bool, 4> drawn = {injection.clean, injection.noise.hit, injection.latent.hit,
                                       injection.image.hit};
    for (std::size_t i = 0; i < 4; ++i) counts[i] += drawn[i] / static_cast<double>(kDraws);
  }
  return counts;
}

TEST(BernoulliInjection, DrawsShotsEffectiveProbabilities) {
  const auto [clean, noise, latent, image] = rates(BernoulliInjection({}));

  EXPECT_NEAR(clean, 0.2, 0.01);
  EXPECT_NEAR(noise, 0.008, 0.003);
  EXPECT_NEAR(latent, 0.72, 0.01);
  EXPECT_NEAR(image, 0.72, 0.01);
}

TEST(BernoulliInjection, DecidesByTheReferencesRule) {
  const BernoulliInjection policy(
      {.noise_probability = 0.3, .latent_probability = 0.5, .image_probability = 0.7});
  for (std::uint32_t sample = 0; sample < 500; ++sample) {
    const auto u = [&](Purpose purpose) { return uniform({7, purpose, sample, 3}); };
    const auto injection = policy.draw({7, sample, 3, 10, 0.5});
    const bool clean = u(Purpose::inject_clean) < 0.2;

    EXPECT_EQ(injection.clean, clean);
    EXPECT_EQ(injection.noise.hit, !clean && u(Purpose::inject_noise) < 0.3);
    EXPECT_EQ(injection.latent.hit, !clean && u(Purpose::inject_latent) < 0.5);
    EXPECT_EQ(injection.image.hit, !clean && u(Purpose::inject_image) < 0.7);
  }
}

TEST(BernoulliInjection, SwitchingOneTargetOffLeavesTheOthersAlone) {
  const BernoulliInjection both({.noise_probability = 0.5}),
      image({.noise_probability = 0, .latent_probability = 0});
  for (std::uint32_t sample = 0; sample < 500; ++sample) {
    const auto a = both.draw({7, sample, 3, 10, 0.5}), b = image.draw({7, sample, 3, 10, 0.5});

    EXPECT_EQ(a.image.hit, b.image.hit);
    EXPECT_EQ(a.image_place, b.image_place);
    EXPECT_FALSE(b.latent.hit || b.noise.hit);
  }
}

TEST(BernoulliInjection, DrawsScalesFromTheirDistribution) {
  const BernoulliInjection policy({.noise_scale = {ScaleKind::constant, 0.7, 9},
                                   .latent_scale = {ScaleKind::uniform, 1, 3},
                                   .image_scale = {ScaleKind::log_uniform, 0.1, 10}});
  double uniform_mean = 0, log_mean = 0;
  for (std::uint32_t sample = 0; sample < kDraws; ++sample) {
    const auto injection = policy.draw({7, sample, 3, 10, 0.5});
    EXPECT_DOUBLE_EQ(injection.noise.scale, 0.7);
    EXPECT_GE(injection.latent.scale, 1);
    EXPECT_LT(injection.latent.scale, 3);
    EXPECT_GE(injection.image.scale, 0.1 * (1 - 1e-12));
    EXPECT_LT(injection.image.scale, 10 * (1 + 1e-12));
    uniform_mean += injection.latent.scale / kDraws;
    log_mean += std::log(injection.image.scale) / kDraws;
  }

  EXPECT_NEAR(uniform_mean, 2, 0.02);
  EXPECT_NEAR(log_mean, 0, 0.05);
}

TEST(BernoulliInjection, ModulatesWithinItsFactor) {
  const BernoulliInjection policy({.image_scale = {ScaleKind::constant, 2, 2}, .modulation = 0.25});
  double low = 9, high = 0;
  for (std::uint32_t sample = 0; sample < kDraws; ++sample) {
    const double scale = policy.draw({7, sample, 3, 10, 0.5}).image.scale;
    low = std::min(low, scale);
    high = std::max(high, scale);
  }

  EXPECT_NEAR(low, 1.5, 0.01);
  EXPECT_NEAR(high, 2.5, 0.01);
}

TEST(BernoulliInjection, NamesRangesThatMakeNoSense) {
  BernoulliInjection::Config config;
  config.image_scale = {ScaleKind::log_uniform, 0, 1};
  EXPECT_NE(config.problem(), "");
  config.image_scale = {ScaleKind::uniform, 2, 1};
  EXPECT_NE(config.problem(), "");
  config.image_scale = {};
  config.image_sigma_low = 0.9;
  config.image_sigma_high = 0.1;
  EXPECT_NE(config.problem(), "");
  EXPECT_EQ(BernoulliInjection::Config{}.problem(), "");
}

TEST(ScheduledInjection, RampsProbabilitiesAndStrengths) {
  for (const auto ramp : {RampKind::linear, RampKind::cosine}) {
    const ScheduledInjection policy({.base = {.clean_probability = 0},
                                     .ramp = ramp,
                                     .ramp_begin = 0.2,
                                     .ramp_end = 0.6,
                                     .strength_start = 0.5,
                                     .strength_end = 2});
    const auto scale = [&](std::uint32_t step) {
      return policy.draw({7, 0, step, 100, 0.5}).latent.scale;
    };

    EXPECT_NEAR(rates(policy, 10, 100)[2], 0, 1e-9);
    EXPECT_NEAR(rates(policy, 40, 100)[2], 0.45, 0.01);
    EXPECT_NEAR(rates(policy, 80, 100)[2], 0.9, 0.01);
    EXPECT_DOUBLE_EQ(scale(0), 0.5);
    EXPECT_NEAR(scale(40), 1.25, 1e-12);
    EXPECT_DOUBLE_EQ(scale(60), 2);
    EXPECT_NEAR(scale(30),
                ramp == RampKind::linear ? 0.875 : 0.5 + 1.5 * (0.5 - 0.5 * std::sqrt(0.5)), 1e-12);
  }
}

TEST(ScheduledInjection, JumpsWhereTheRampHasNoLength) {
  const ScheduledInjection policy(
      {.base = {.clean_probability = 0}, .ramp_begin = 0.5, .ramp_end = 0.5});

  EXPECT_NEAR(rates(policy, 49, 100)[2], 0, 1e-9);
  EXPECT_NEAR(rates(policy, 50, 100)[2], 0.9, 0.01);
}

TEST(ScheduledInjection, RefusesARampThatEndsBeforeItBegins) {
  EXPECT_EQ((ScheduledInjection::Config{.ramp_begin = 0.6, .ramp_end = 0.5}.problem()),
            "ramp_begin is after ramp_end");
  EXPECT_EQ((ScheduledInjection::Config{.ramp_begin = 0.5, .ramp_end = 0.5}.problem()), "");
  EXPECT_EQ((ScheduledInjection::Config{.ramp_begin = 0.4, .ramp_end = 0.5}.problem()), "");
  ScheduledInjection::Config wrong;
  wrong.base.image_sigma_low = 0.8;
  wrong.base.image_sigma_high = 0.2;
  EXPECT_NE(wrong.problem(), "");
}

/// A policy that returns what it is told to.
class Given final : public InjectionPolicy {
 public:
  explicit Given(const Injection& injection) : injection_(injection) {}

 private:
  Injection do_draw(const SampleView&) const override { return injection_; }
  Injection injection_;
};

TEST(InjectionPolicy, TakesFlowTimesFromZeroToOne) {
  const Given policy({});
  for (const double sigma : {0.0, 0.5, 1.0}) EXPECT_NO_THROW(policy.draw({.sigma = sigma}));
  for (const double sigma : {-0.01, 1.01}) EXPECT_THROW(policy.draw({.sigma = sigma}), Error);
  EXPECT_THROW(policy.draw({.total_steps = 0}), Error);
}

TEST(InjectionPolicy, ChecksEachPartOfAnInjection) {
  const auto allowed = [](const std::function<void(Injection&)>& change) {
    Injection injection;
    change(injection);
    try {
      Given(injection).draw({});
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  EXPECT_TRUE(allowed([](Injection& i) { i.image_frames = 1; }));
  EXPECT_FALSE(allowed([](Injection& i) { i.image_frames = 0; }));
  EXPECT_TRUE(allowed([](Injection& i) { i.image_place = 0.99; }));
  EXPECT_FALSE(allowed([](Injection& i) { i.image_place = 1; }));
  EXPECT_TRUE(allowed([](Injection& i) { i.image_sigma_low = i.image_sigma_high = 0.4; }));
  EXPECT_FALSE(allowed([](Injection& i) { i.image_sigma_low = 1.1; }));
  EXPECT_FALSE(allowed([](Injection& i) { i.noise.scale = std::nan(""); }));
  EXPECT_FALSE(allowed([](Injection& i) { i.latent.scale = HUGE_VAL; }));
  EXPECT_FALSE(allowed([](Injection& i) { i.image.scale = -HUGE_VAL; }));
  EXPECT_TRUE(allowed([](Injection& i) { i.clean = true; }));
  EXPECT_FALSE(allowed([](Injection& i) { i.clean = i.latent.hit = true; }));
}

TEST(InjectionPolicy, RefusesWhatNoPolicyMayReturn) {
  class Wrong final : public InjectionPolicy {
    Injection do_draw(const SampleView&) const override {
      Injection injection;
      injection.clean = injection.image.hit = true;
      return injection;
    }
  };

  EXPECT_THROW(Wrong().draw({}), Error);
}

TEST(InjectionPolicy, BuiltInsReadTheirOptions) {
  Registry registry;
  Registrar registrar(registry, "built-in");
  register_injection(registrar);
  const auto good = Document::parse(
      "[injection]\ntype = bernoulli\nimage_probability = 1\nclean_probability = 0\nimage_scale = "
      "log_uniform\n"
      "image_scale_low = 0.1\nimage_scale_high = 6\nimage_place = last\n",
      "good.ini");
  const auto bad = Document::parse(
      "[injection]\ntype = bernoulli\nimage_scale = log_uniform\nimage_scale_low = 0\n", "bad.ini");

  const auto policy = registry.make<InjectionPolicy>(good, "bernoulli");

  EXPECT_TRUE(policy->draw({}).image.hit);
  EXPECT_EQ(policy->draw({}).image_place, -1);
  EXPECT_THROW(registry.make<InjectionPolicy>(bad, "bernoulli"), ConfigError);
}

}  // namespace
}  // namespace svi
