#include "svi/model/lora.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/lora_files.hpp"

namespace svi {
namespace {

using testing::Fixture;
using ::testing::HasSubstr;
using testing::relative_error;

constexpr double kLoraTolerance = 1e-4;

// The model of the fixture with peft's adapter attached.
struct Adapted {
  explicit Adapted(const Fixture& fixture)
      : dit(WanDit::infer(fixture.group("weights."), fixture.heads())) {
    dit.load(fixture.group("weights."));
    const auto tensors = fixture.group("lora.");
    auto config = Lora::infer(tensors);
    config.alpha = 6;  // as in make_fixtures.py
    lora = std::make_shared<Lora>(config, dit.linears(), 1);
    lora->load(tensors);
    dit.attach(lora);
  }

  at::Tensor velocity(const Fixture& fixture) const {
    return dit.velocity(
        fixture("input.x"), fixture("input.timestep"),
        {{part::kText, fixture("input.context")}, {part::kImage, fixture("input.y")}});
  }

  WanDit dit;
  std::shared_ptr<Lora> lora;
};

TEST(Lora, ForwardAndGradientsEqualPeft) {
  const Fixture fixture("dit_lora");
  const Adapted adapted(fixture);

  const auto v = adapted.velocity(fixture);
  (v * fixture("input.r")).sum().backward();

  EXPECT_LE(relative_error(v.detach(), fixture("output.v")), kLoraTolerance);
  for (const auto& adapter : adapted.lora->adapters()) {
    const auto name = "grad.base_model.model." + adapter.layer.name;
    EXPECT_LE(relative_error(adapter.a.grad(), fixture(name + ".lora_A.weight")), kLoraTolerance)
        << name;
    EXPECT_LE(relative_error(adapter.b.grad(), fixture(name + ".lora_B.weight")), kLoraTolerance)
        << name;
  }
}

TEST(Lora, GradientsAddUpInTheFlatBuffer) {
  const Fixture fixture("dit_lora");
  const Adapted adapted(fixture);
  const auto& grad = adapted.lora->flat_grad();
  const auto storage = grad.data_ptr();

  (adapted.velocity(fixture) * fixture("input.r")).sum().backward();
  const auto once = grad.clone();
  (adapted.velocity(fixture) * fixture("input.r")).sum().backward();

  EXPECT_GT(once.abs().max().item<float>(), 0);
  EXPECT_TRUE(at::allclose(grad, 2 * once));
  EXPECT_EQ(grad.data_ptr(), storage);
  adapted.lora->zero_grad();
  EXPECT_EQ(adapted.lora->adapters()[0].b.grad().abs().max().item<float>(), 0);
}

TEST(Lora, WritingTheFlatBufferChangesTheAdapters) {
  const Fixture fixture("dit_lora");
  const Adapted adapted(fixture);
  {
    const at::NoGradGuard no_grad;
    adapted.lora->flat().zero_();
  }

  const auto v = adapted.velocity(fixture);

  EXPECT_EQ(adapted.lora->adapters().back().a.abs().max().item<float>(), 0);
  EXPECT_GT(relative_error(v.detach(), fixture("output.v")), .01);
}

TEST(Lora, MergedEqualsAttached) {
  const Fixture fixture("dit_lora");
  Adapted adapted(fixture);

  adapted.dit.detach();
  merge_lora(adapted.dit, {LoraFile::of(*adapted.lora, "lora"), 1});

  const at::NoGradGuard no_grad;
  EXPECT_LE(relative_error(adapted.velocity(fixture), fixture("output.v")), kLoraTolerance);
}

TEST(Lora, FreshAdapterChangesNothingAndDependsOnTheSeed) {
  const Fixture fixture("dit_lora");
  WanDit dit(WanDit::infer(fixture.group("weights."), fixture.heads()));
  dit.load(fixture.group("weights."));
  const LoraConfig config{.rank = 3, .alpha = 3};
  const auto lora = std::make_shared<Lora>(config, dit.linears(), 5);
  const Condition condition{{part::kText, fixture("input.context")},
                            {part::kImage, fixture("input.y")}};
  const auto plain = dit.velocity(fixture("input.x"), fixture("input.timestep"), condition);

  dit.attach(lora);

  EXPECT_TRUE(
      at::allclose(dit.velocity(fixture("input.x"), fixture("input.timestep"), condition), plain));
  EXPECT_TRUE(at::equal(lora->flat(), Lora(config, dit.linears(), 5).flat()));
  EXPECT_FALSE(at::equal(lora->flat(), Lora(config, dit.linears(), 6).flat()));
  const auto& a = lora->adapters()[0].a;
  EXPECT_LE(a.abs().max().item<double>(), 1 / std::sqrt(32.0));
  EXPECT_GT(a.abs().max().item<double>(), .8 / std::sqrt(32.0));
  EXPECT_THROW(dit.attach(lora), Error);
}

TEST(Lora, CountsOfTheOfficialModelsAreThePublishedOnes) {
  WanDitConfig large{
      .in_dim = 36, .dim = 5120, .ffn_dim = 13824, .heads = 40, .layers = 40, .image_dim = 1280};
  std::int64_t modules = 0, numbers = 0;

  for (const auto& layer : WanDit(large, at::TensorOptions(at::kMeta)).linears()) {
    if (layer.name.ends_with("_img")) continue;
    ++modules;
    numbers += 128 * (layer.in + layer.out);
  }

  EXPECT_EQ(modules, 400);
  EXPECT_EQ(numbers, 613416960);
}

TEST(Lora, ChoosesLayersByNameKindAndBlock) {
  const WanDit dit(WanDitConfig{.dim = 32, .ffn_dim = 64, .heads = 2, .layers = 3},
                   at::TensorOptions(at::kMeta));
  const auto names = [&](const LoraConfig& config) {
    std::vector<std::string> found;
    const Lora lora(config, dit.linears(), 1);
    for (const auto& adapter : lora.adapters()) found.push_back(adapter.layer.name);
    return found;
  };

  EXPECT_EQ(names({.rank = 2}).size(), 30U);
  EXPECT_EQ(names({.rank = 2, .cross_attn = false}).size(), 18U);
  EXPECT_THAT(names({.rank = 2, .targets = {"k", "ffn.2"}, .self_attn = false, .layers = {1}}),
              ::testing::ElementsAre("blocks.1.cross_attn.k", "blocks.1.ffn.2"));
  EXPECT_THROW(names({.rank = 2, .targets = {"q", "k_img"}}), ConfigError);
  EXPECT_THROW(names({.rank = 0}), ConfigError);
}

TEST(Lora, RoundTripsThroughBothNamings) {
  const WanDit dit(WanDitConfig{.dim = 32, .ffn_dim = 64, .heads = 2, .layers = 2},
                   at::TensorOptions(at::kMeta));
  const Lora source({.rank = 2, .alpha = 2, .layers = {1}}, dit.linears(), 3);

  for (const auto naming : {LoraNaming::official, LoraNaming::peft}) {
    const auto tensors = source.tensors(naming);
    const auto config = Lora::infer(tensors);
    Lora copy(config, dit.linears(), 99);
    const auto report = copy.load(tensors);
    EXPECT_TRUE(report.complete());
    EXPECT_TRUE(at::equal(copy.flat(), source.flat()));
    EXPECT_EQ(config.rank, 2);
    EXPECT_EQ(config.layers, std::vector<std::int64_t>{1});
  }
  EXPECT_EQ(source.tensors()[0].first, "pipe.dit.blocks.1.self_attn.q.lora_A.default.weight");
  EXPECT_EQ(source.tensors(LoraNaming::peft)[1].first,
            "base_model.model.blocks.1.self_attn.q.lora_B.weight");
}

TEST(Lora, RefusesFilesThatDoNotFitWithEveryName) {
  const WanDit dit(WanDitConfig{.dim = 32, .ffn_dim = 64, .heads = 2, .layers = 2},
                   at::TensorOptions(at::kMeta));
  Lora lora({.rank = 2, .alpha = 2}, dit.linears(), 3);
  auto tensors = lora.tensors();
  tensors[0].second = at::zeros({3, 32});
  tensors.pop_back();
  tensors.emplace_back("text_encoder.lora_A.weight", at::zeros({1}));

  try {
    lora.load(tensors, "film.safetensors");
    FAIL() << "expected an IoError";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("film.safetensors"));
    EXPECT_THAT(error.what(),
                HasSubstr("blocks.0.self_attn.q.lora_A.default.weight: model [2, 32]"));
    EXPECT_THAT(error.what(), HasSubstr("text_encoder.lora_A.weight"));
    EXPECT_THAT(error.what(), HasSubstr("blocks.1.ffn.2.lora_B"));
  }
  EXPECT_THROW(Lora::infer(tensors), IoError);
  const NamedTensors alpha = {{"blocks.0.self_attn.q.alpha", at::tensor({4.F})}};
  EXPECT_THROW(lora.load(alpha), IoError);
  const NamedTensors alphas = {{"blocks.0.self_attn.q.alpha", at::tensor({4.F, 4.F})}};
  EXPECT_THROW(lora.load(alphas), IoError);
  EXPECT_THROW(Lora::infer(alphas), IoError);
}

}  // namespace
}  // namespace svi
