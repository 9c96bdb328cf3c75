#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/sampler/unipc.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

const float kNan = std::numeric_limits<float>::quiet_NaN();

at::Tensor random_tensor(at::IntArrayRef sizes, std::uint32_t stream) {
  return normal({.seed = 7, .purpose = Purpose::weight_init, .stream = stream}, sizes);
}

std::unique_ptr<WanDit> small_dit() {
  auto dit = std::make_unique<WanDit>(WanDitConfig{.in_dim = 4,
                                                   .out_dim = 4,
                                                   .dim = 32,
                                                   .ffn_dim = 48,
                                                   .freq_dim = 16,
                                                   .text_dim = 12,
                                                   .text_len = 6,
                                                   .heads = 2,
                                                   .layers = 4});
  std::uint32_t stream = 0;
  for (auto& [name, weight] : dit->parameters()) {
    weight.copy_(random_tensor(weight.sizes(), stream++) * 0.2);
  }
  return dit;
}

at::Tensor weight_of(const WanDit& dit, const std::string& wanted) {
  for (const auto& [name, weight] : dit.parameters()) {
    if (name == wanted) return weight;
  }
  raise("no weight ", wanted);
}

const auto kSize = std::vector<std::int64_t>{2, 4, 2, 4, 4};
Condition condition(std::uint32_t stream) {
  return {{part::kText, random_tensor({2, 5, 12}, stream)}};
}

std::string message_of(const Sampler& sampler, const VelocityModel& model,
                       const at::Tensor& noise = random_tensor(kSize, 100)) {
  const ClassifierFreeGuidance guidance({.scale = 5});
  try {
    sampler.sample(Denoiser(model, guidance, condition(101), condition(102)), noise);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Predicts its text's mean; counts passes.
class TextModel final : public VelocityModel {
 public:
  mutable int passes = 0;
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& condition) const override {
    ++passes;
    return at::zeros_like(noisy) + condition[part::kText].mean({1, 2}).view({-1, 1, 1, 1, 1});
  }
};

TEST(Guidance, BatchedPassesGiveTheNumbersOfSeparateOnes) {
  const auto dit = small_dit();
  const auto noise = random_tensor(kSize, 100);
  const auto positive = condition(101), negative = condition(102);
  const ClassifierFreeGuidance guidance({.scale = 5});
  const auto run = [&](PassMode mode) {
    return EulerSampler({.steps = 5})
        .sample(Denoiser(*dit, guidance, positive, negative, mode), noise);
  };

  const auto separate = run(PassMode::separate);
  const auto batched = run(PassMode::batched);

  const auto error = (separate - batched).abs().max() / separate.abs().max();
  EXPECT_LE(error.item<double>(), 1e-5);
}

TEST(Guidance, PushesAwayFromTheNegativeByTheScale) {
  const Condition positive{{part::kText, at::full({1, 1, 1}, 3.0)}};
  const Condition negative{{part::kText, at::full({1, 1, 1}, 1.0)}};
  const auto noise = at::zeros({1, 1, 1, 2, 2});
  const ClassifierFreeGuidance guidance({.scale = 4});
  for (const auto mode : {PassMode::separate, PassMode::batched}) {
    const TextModel model;
    const auto latent = EulerSampler({.steps = 3})
                            .sample(Denoiser(model, guidance, positive, negative, mode), noise);
    EXPECT_NEAR(latent.max().item<double>(), -9, 1e-5);  // v = 1 + 4 (3 - 1), over sigma 1 to 0
  }
}

TEST(Guidance, RunsOnePassAStepWhenOffOrBatched) {
  const Condition positive{{part::kText, at::ones({1, 1, 1})}};
  const auto negative = positive.clone();
  const auto noise = at::zeros({1, 1, 1, 2, 2});
  const auto passes = [&](double scale, PassMode mode) {
    const TextModel model;
    const ClassifierFreeGuidance guidance({.scale = scale});
    UniPcSampler({.steps = 3}).sample(Denoiser(model, guidance, positive, negative, mode), noise);
    return model.passes;
  };

  EXPECT_EQ(passes(5, PassMode::separate), 6);
  EXPECT_EQ(passes(5, PassMode::batched), 3);
  EXPECT_EQ(passes(1, PassMode::separate), 3);
  EXPECT_EQ(passes(1, PassMode::batched), 3);
}

TEST(Guidance, RefusesToBatchConditionsOfDifferentShape) {
  const Condition positive{{part::kText, at::ones({1, 2, 1})}};
  const Condition negative{{part::kText, at::ones({1, 1, 1})}};
  const TextModel model;
  const ClassifierFreeGuidance guidance({.scale = 5});
  const Denoiser denoiser(model, guidance, positive, negative, PassMode::batched);
  try {
    EulerSampler({.steps = 1}).sample(denoiser, at::zeros({1, 1, 1, 2, 2}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("condition.text"));
    EXPECT_THAT(error.what(), HasSubstr("passes = separate"));
  }
}

TEST(Guidance, GuidesInsideItsIntervalOnly) {
  const Condition positive{{part::kText, at::full({1, 1, 1}, 3.0)}};
  const Condition negative{{part::kText, at::full({1, 1, 1}, 1.0)}};
  const TextModel model;
  const ClassifierFreeGuidance guidance({.scale = 4, .sigma_low = 0.3, .sigma_high = 0.8});
  const Denoiser denoiser(model, guidance, positive, negative);
  const auto noise = at::zeros({1, 1, 1, 2, 2});
  const auto at_time = [&](double timestep) {
    return denoiser.velocity(noise, timestep, 0).max().item<double>();
  };

  EXPECT_DOUBLE_EQ(at_time(900), 3);
  EXPECT_DOUBLE_EQ(at_time(800), 9);
  EXPECT_DOUBLE_EQ(at_time(300), 9);
  EXPECT_DOUBLE_EQ(at_time(299), 3);
  EXPECT_EQ(denoiser.evaluations(), 6);
}

TEST(Guidance, NeedsANegativeConditionForAnUnguidedPass) {
  const Condition positive{{part::kText, at::ones({1, 1, 1})}};
  const TextModel model;
  const ClassifierFreeGuidance guidance({.scale = 5});
  EXPECT_THROW(Denoiser(model, guidance, positive).velocity(at::zeros({1, 1, 1, 2, 2}), 500, 0),
               Error);
}

// Passes "nothing", "a", "a and b", and "a" once more.
class FourPasses final : public Guidance {
  std::vector<GuidancePass> do_passes(const GuidanceStep&, const Condition& positive,
                                      const Condition& negative) const override {
    auto only_a = negative;
    only_a.set("a", positive["a"]);
    return {{"nothing", negative}, {"a", only_a, 2}, {"both", positive, 3}, {"a again", only_a, 5}};
  }
};

TEST(Denoiser, RunsEqualPassesOnceAndAddsTheirWeights) {
  class Sum final : public VelocityModel {
   public:
    mutable int passes = 0;
    at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                        const Condition& condition) const override {
      ++passes;
      return at::zeros_like(noisy) + (condition["a"] + condition["b"]).view({-1, 1, 1, 1, 1});
    }
  };
  const Condition positive{{"a", at::full({1}, 1.0)}, {"b", at::full({1}, 10.0)}};
  const Condition negative{{"a", at::zeros({1})}, {"b", at::zeros({1})}};
  const FourPasses guidance;
  for (const auto mode : {PassMode::separate, PassMode::batched}) {
    const Sum model;
    const Denoiser denoiser(model, guidance, positive, negative, mode);

    const auto v = denoiser.velocity(at::zeros({1, 1, 1, 2, 2}), 500, 0);

    EXPECT_DOUBLE_EQ(v.max().item<double>(), 7 * 1 + 3 * 11);
    EXPECT_EQ(model.passes, mode == PassMode::separate ? 3 : 1);
    EXPECT_EQ(denoiser.evaluations(), 3);
  }
}

TEST(Sampler, ReportsEveryStepInOrder) {
  const TextModel model;
  const NoGuidance unguided;
  const Denoiser denoiser(model, unguided, {{part::kText, at::ones({1, 1, 1})}});
  const auto noise = at::zeros({1, 1, 1, 2, 2});
  const EulerSampler euler({.steps = 3});
  const UniPcSampler unipc({.steps = 3});
  for (const Sampler* sampler : std::vector<const Sampler*>{&euler, &unipc}) {
    std::vector<std::pair<std::int64_t, std::int64_t>> steps;
    sampler->sample(denoiser, noise,
                    [&](std::int64_t done, std::int64_t all) { steps.emplace_back(done, all); });
    EXPECT_THAT(steps, ::testing::ElementsAre(std::pair(1, 3), std::pair(2, 3), std::pair(3, 3)));
  }
}

TEST(FiniteGuard, NamesTheBlockWhoseWeightIsPoisoned) {
  const EulerSampler sampler({.steps = 2});
  const std::vector<std::pair<std::string, std::string>> poisons = {
      {"patch_embedding.bias", "first in patch embedding"},
      {"text_embedding.0.weight", "first in text embedding"},
      {"time_embedding.2.bias", "first in time embedding"},
      {"blocks.2.self_attn.v.weight", "first in block 2, self-attention"},
      {"blocks.1.cross_attn.v.bias", "first in block 1, cross-attention"},
      {"blocks.3.ffn.0.weight", "first in block 3, feed-forward"},
      {"head.head.weight", "first in head"}};
  for (const auto& [name, where] : poisons) {
    const auto dit = small_dit();
    weight_of(*dit, name).flatten()[0].fill_(kNan);

    const auto message = message_of(sampler, *dit);

    EXPECT_THAT(message, HasSubstr(where)) << name;
    EXPECT_THAT(message, HasSubstr("not finite: " + name));
    EXPECT_THAT(message, HasSubstr("positive pass of step 0"));
  }
}

TEST(FiniteGuard, FindsOverflowWithoutABadWeight) {
  const auto dit = small_dit();
  weight_of(*dit, "blocks.1.ffn.2.weight").fill_(3e38F);
  const auto message = message_of(UniPcSampler({.steps = 2}), *dit);
  EXPECT_THAT(message, HasSubstr("first in block 1, feed-forward"));
  EXPECT_THAT(message, ::testing::Not(HasSubstr("weights that are not finite")));
}

TEST(FiniteGuard, BlamesTheNoiseWhereTheNoiseIsBad) {
  auto noise = random_tensor(kSize, 100);
  noise.flatten()[3].fill_(kNan);
  const auto message = message_of(EulerSampler({.steps = 2}), *small_dit(), noise);
  EXPECT_THAT(message, HasSubstr("the noisy latent, before the model"));
}

TEST(FiniteGuard, NamesThePassAndTheStep) {
  class Poisoned final : public VelocityModel {
   public:
    at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                        const Condition& condition) const override {
      const bool bad = timestep[0].item<double>() < 900 && !condition.has(part::kImage);
      return at::full_like(noisy, bad ? std::numeric_limits<double>::infinity() : 0);
    }
  };
  const Condition positive{{part::kImage, at::ones({1})}};
  const Condition negative{{part::kText, at::ones({1})}};
  const Poisoned model;
  const ClassifierFreeGuidance guidance({.scale = 5});
  const EulerSampler sampler({.steps = 4});  // timesteps 1000, 937.5, 833.3, 625
  try {
    sampler.sample(Denoiser(model, guidance, positive, negative), at::zeros({1, 1, 1, 2, 2}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("negative pass of step 2"));
    EXPECT_THAT(error.what(), HasSubstr("sigma = 0.833333"));
  }
}

}  // namespace
}  // namespace svi
