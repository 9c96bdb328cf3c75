#include "svi/model/extension.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "model/fixtures.hpp"
#include "support/io_error.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/positions.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;
using testing::relative_error;

constexpr std::int64_t kLight = 6;  // features of the part that Sidelight reads

/// Adds a layer of the tokens and of a condition part behind the cross-attention of two blocks, and
/// another to the input tokens.
class Sidelight final : public ModelExtension {
 public:
  explicit Sidelight(ExtensionOptions options = {}) : ModelExtension(std::move(options)) {}

 private:
  static std::string block(std::int64_t i) { return cat("light.blocks.", i, ".o"); }

  std::vector<PartRule> do_reads() const override { return {{"light", {kAnySize, kLight}}}; }
  std::vector<ParameterSpec> do_parameters(const ExtensionHost& host) const override {
    std::vector<ParameterSpec> specs{
        {"light.in.weight", {host.dim, kLight}, ParameterStart::xavier},
        {"light.in.bias", {host.dim}},
        {"light.first.weight", {host.dim, kLight}}};
    for (const std::int64_t i : {0, 2})
      specs.push_back({block(i) + ".weight", {host.dim, host.dim}});
    return specs;
  }
  ExtensionInputs do_begin(const ExtensionPass& pass) const override {
    const auto light = pass.condition["light"].mean(1).to(
        parameter("light.in.bias").scalar_type());  // [B, kLight]
    return {
        .residual = linear(light, "light.first").unsqueeze(1).expand({-1, pass.grid.tokens(), -1}),
        .kept = {linear(light, "light.in").unsqueeze(1), {}}};
  }
  bool do_acts_after_cross_attention(std::int64_t i) const override { return i % 2 == 0; }
  at::Tensor do_after_cross_attention(const ExtensionBlock& at) const override {
    return linear(at::gelu(at.tokens + at.kept[0].to(at.tokens.scalar_type())), block(at.index));
  }
};

/// Brings the token groups that a test hands it, times a gain of its own.
class History final : public ModelExtension {
 public:
  History() : ModelExtension({}) {}
  std::function<std::vector<TokenGroup>(const ExtensionPass&)> groups;

 private:
  std::vector<ParameterSpec> do_parameters(const ExtensionHost& host) const override {
    return {{"history.gain", {host.dim}, ParameterStart::ones}};
  }
  ExtensionInputs do_begin(const ExtensionPass& pass) const override {
    ExtensionInputs inputs{.groups = groups(pass)};
    const auto& gain = parameter("history.gain");
    for (auto& group : inputs.groups)
      group.tokens = group.tokens * gain.to(group.tokens.scalar_type());
    return inputs;
  }
};

WanDitConfig extended_sizes() {
  WanDitConfig config;
  config.in_dim = 20;
  config.out_dim = 8;
  config.dim = 48;
  config.ffn_dim = 96;
  config.freq_dim = 32;
  config.text_dim = 24;
  config.text_len = 12;
  config.heads = 4;
  config.layers = 3;
  return config;
}

std::unique_ptr<WanDit> extended_model(at::ScalarType dtype = at::kFloat) {
  auto dit = std::make_unique<WanDit>(extended_sizes());
  at::manual_seed(3);
  for (auto& [name, weight] : dit->parameters()) weight.normal_(0, 0.15);
  dit->to(at::kCPU, dtype);
  return dit;
}

std::shared_ptr<Sidelight> sidelight(const WanDit& dit, bool trained) {
  auto extension = std::make_shared<Sidelight>();
  extension->build("lamp", dit.extension_host(), 5);
  at::manual_seed(4);
  if (trained) {
    for (auto& [name, tensor] : extension->parameters()) tensor.normal_(0, 0.1);
  }
  return extension;
}

struct ExtendedInputs {
  at::Tensor noisy, timestep;
  Condition condition;

  ExtendedInputs() {
    at::manual_seed(6);
    noisy = at::randn({2, 8, 3, 8, 8});
    timestep = at::tensor({700.F, 300.F});
    condition = {{part::kText, at::randn({2, 9, 24})},
                 {part::kImage, at::randn({2, 12, 3, 8, 8})},
                 {"light", at::randn({2, 5, kLight})}};
  }
  Condition without_light() const {
    return {{part::kText, condition[part::kText]}, {part::kImage, condition[part::kImage]}};
  }
  at::Tensor velocity(const WanDit& dit) const {
    return dit.velocity(noisy, timestep, condition).detach();
  }
};

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// fp32 and bf16 without gradients run the lean blocks, fp32 with them the fused, fp64 the plain.
TEST(ModelExtensions, ThatStartAtZeroChangeNoBit) {
  const ExtendedInputs inputs;
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (const bool gradients : {false, true}) {
      const c10::AutoGradMode mode(gradients);
      const auto dit = extended_model(dtype);
      const auto before = dit->velocity(inputs.noisy, inputs.timestep, inputs.without_light());
      dit->attach(sidelight(*dit, false));
      EXPECT_TRUE(at::equal(inputs.velocity(*dit), before)) << dtype << " " << gradients;
    }
  }
}

TEST(ModelExtensions, ActAlikeInAllImplementationsOfTheBlocks) {
  const ExtendedInputs inputs;
  const auto plain = extended_model(at::kDouble);
  const auto without = plain->velocity(inputs.noisy, inputs.timestep, inputs.without_light());
  plain->attach(sidelight(*plain, true));
  const auto expected = inputs.velocity(*plain);
  EXPECT_GT(relative_error(expected, without), 0.01);
  for (const bool gradients : {false, true}) {
    const c10::AutoGradMode mode(gradients);
    const auto dit = extended_model();
    dit->attach(sidelight(*dit, true));
    EXPECT_LE(relative_error(inputs.velocity(*dit), expected), 1e-4) << gradients;
    dit->place({.resident_blocks = 0});
    EXPECT_LE(relative_error(inputs.velocity(*dit), expected), 1e-4) << gradients;
  }
  const at::NoGradGuard no_grad;
  const auto bf16 = extended_model(at::kBFloat16);
  bf16->attach(sidelight(*bf16, true));
  EXPECT_LE(relative_error(inputs.velocity(*bf16), expected), 0.05);
}

TEST(ModelExtensions, AreSummed) {
  const ExtendedInputs inputs;
  const at::NoGradGuard no_grad;
  const auto once = extended_model(), twice = extended_model();
  const auto doubled = sidelight(*once, true);
  for (auto& [name, tensor] : doubled->parameters())
    if (!name.starts_with("light.in")) tensor.mul_(2);
  once->attach(doubled);
  twice->attach(sidelight(*twice, true));
  auto other = std::make_shared<Sidelight>();
  other->build("second", twice->extension_host(), 5);
  other->load(sidelight(*twice, true)->parameters(), "first");
  twice->attach(other);
  EXPECT_LE(relative_error(inputs.velocity(*twice), inputs.velocity(*once)), 1e-5);
}

// Gradients of every parameter of the extension and of the adapter, after a loss.
std::vector<at::Tensor> gradients_of(WanDit& dit, const ExtendedInputs& inputs) {
  dit.lora()->zero_grad();
  for (auto& [name, tensor] : dit.extensions()[0]->parameters())
    tensor.mutable_grad() = at::Tensor();
  dit.velocity(inputs.noisy, inputs.timestep, inputs.condition).square().mean().backward();
  std::vector<at::Tensor> gradients{dit.lora()->flat_grad().clone()};
  for (auto& [name, tensor] : dit.extensions()[0]->parameters()) {
    EXPECT_TRUE(tensor.grad().defined()) << name;
    gradients.push_back(tensor.grad().clone());
  }
  return gradients;
}

std::unique_ptr<WanDit> trained_model(at::ScalarType dtype) {
  auto dit = extended_model(dtype);
  auto lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 4}, dit->linears(), 5);
  at::manual_seed(8);
  lora->flat().normal_(0, 0.1);
  lora->require_grad(true);
  dit->attach(lora);
  const auto extension = sidelight(*dit, true);
  extension->require_grad(true);
  dit->attach(extension);
  return dit;
}

TEST(ModelExtensions, GetTheSameGradientsWhereBlocksAreComputedAgain) {
  const ExtendedInputs inputs;
  for (const auto dtype : {at::kFloat, at::kDouble}) {  // fused, plain
    const auto dit = trained_model(dtype);
    const auto kept = gradients_of(*dit, inputs);
    dit->recompute_blocks(true);
    const auto again = gradients_of(*dit, inputs);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      ASSERT_GT(kept[i].abs().max().item<double>(), 0) << i;
      EXPECT_LE(relative_error(again[i], kept[i]), 1e-6) << dtype << " " << i;
    }
  }
}

TEST(ModelExtensions, GetTheSameGradientsFromFusedAndPlainBlocks) {
  const ExtendedInputs inputs;
  const auto fused = gradients_of(*trained_model(at::kFloat), inputs);
  const auto plain = gradients_of(*trained_model(at::kDouble), inputs);
  for (std::size_t i = 0; i < fused.size(); ++i)
    EXPECT_LE(relative_error(fused[i], plain[i]), 2e-4) << i;
}

TEST(ModelExtensions, RefusePartsByName) {
  ExtendedInputs inputs;
  const at::NoGradGuard no_grad;
  const auto dit = extended_model();
  EXPECT_THAT(error_of([&] { inputs.velocity(*dit); }), HasSubstr("'light'"));
  dit->attach(sidelight(*dit, false));
  EXPECT_EQ(dit->reads(), (std::vector<std::string>{"text", "image", "clip", "light"}));
  EXPECT_EQ(dit->track_parts(), (std::vector<std::string>{"light"}));
  const auto given = inputs.condition["light"];

  inputs.condition.set("light", at::Tensor());
  EXPECT_THAT(error_of([&] { inputs.velocity(*dit); }),
              HasSubstr("condition.light is missing, which [extension.lamp] reads"));
  inputs.condition.set("light", at::zeros({2, 5, 7}));
  EXPECT_THAT(error_of([&] { inputs.velocity(*dit); }), HasSubstr("reads [B, any, 6]"));
  inputs.condition.set("light", at::zeros({3, 5, kLight}));
  EXPECT_THAT(error_of([&] { inputs.velocity(*dit); }), HasSubstr("of 2 samples"));
  inputs.condition.set("light", given);
  inputs.condition.set("sound", given);
  EXPECT_THAT(error_of([&] { inputs.velocity(*dit); }), HasSubstr("'sound'"));
}

TEST(ModelExtensions, JoinOnlyTheModelTheyAreBuiltFor) {
  const auto dit = extended_model();
  auto sizes = extended_sizes();
  sizes.layers = 2;
  WanDit other(sizes);
  EXPECT_THROW(other.attach(sidelight(*dit, false)), Error);
  dit->attach(sidelight(*dit, false));
  EXPECT_THAT(error_of([&] { dit->attach(sidelight(*dit, false)); }), HasSubstr("already"));
  EXPECT_THROW(dit->quantise(), Error);
  dit->detach_extensions();
  EXPECT_TRUE(dit->extensions().empty());
}

TEST(ModelExtensions, StayAsTheyAreBesideBlocksOf8Bits) {
  const ExtendedInputs inputs;
  const at::NoGradGuard no_grad;
  const auto whole = extended_model(), eight = extended_model();
  const auto report = eight->quantise({.allow = true});
  ASSERT_GT(report.layers, 0);
  const auto lamp = sidelight(*whole, true), same = sidelight(*eight, true);
  whole->attach(lamp);
  eight->attach(same);
  const auto expected = inputs.velocity(*whole), velocity = inputs.velocity(*eight);
  const auto error = ((velocity - expected).norm() / expected.norm()).item<double>();
  EXPECT_GT(error, 0);
  EXPECT_LT(error, 2 * report.velocity_error + 1e-3);  // as without it, in quantise_test
  for (std::size_t i = 0; i < lamp->parameters().size(); ++i) {
    const auto& parameter = same->parameters()[i].second;
    EXPECT_EQ(parameter.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(parameter, lamp->parameters()[i].second));
  }
}

TEST(ModelExtensions, StartAsAFunctionOfSeedLabelAndName) {
  const auto dit = extended_model();
  const auto start = [&](const std::string& label, std::uint64_t seed) {
    Sidelight extension;
    extension.build(label, dit->extension_host(), seed);
    return testing::find(extension.parameters(), "light.in.weight");
  };
  EXPECT_TRUE(at::equal(start("a", 1), start("a", 1)));
  EXPECT_FALSE(at::equal(start("a", 1), start("b", 1)));
  EXPECT_FALSE(at::equal(start("a", 1), start("a", 2)));
  const double bound = std::sqrt(6.0 / (48 + kLight));
  EXPECT_LE(start("a", 1).abs().max().item<double>(), bound);
  EXPECT_GT(start("a", 1).abs().max().item<double>(), 0.9 * bound);
}

TEST(ModelExtensions, ComeBackFromTheirFileByName) {
  const TemporaryFolder folder;
  const auto dit = extended_model();
  const auto extension = sidelight(*dit, true);
  extension->save(folder / "lamp.safetensors");
  const auto again = sidelight(*dit, false);
  again->load_file(folder / "lamp.safetensors");
  for (std::size_t i = 0; i < extension->parameters().size(); ++i) {
    EXPECT_TRUE(at::equal(again->parameters()[i].second, extension->parameters()[i].second))
        << extension->parameters()[i].first;
  }
}

TEST(ModelExtensions, SayWhichTensorOfAFileDoesNotFit) {
  const auto extension = sidelight(*extended_model(), false);
  auto tensors = extension->parameters();
  tensors[0].second = at::zeros({48, 7});
  tensors[1].first = "light.in.offset";
  const auto message = io_error_of([&] { extension->load(tensors, "lamp.safetensors"); });
  EXPECT_THAT(message, HasSubstr("lamp.safetensors"));
  EXPECT_THAT(message, HasSubstr("light.in.weight: expected [48, 6], found [48, 7]"));
  EXPECT_THAT(message, HasSubstr("light.in.bias: expected [48], missing"));
  EXPECT_THAT(message, HasSubstr("light.in.offset: not expected, found [48]"));
}

// A frame of the latent as a token group, with its place and time, is that frame.
class TokenGroups : public ::testing::TestWithParam<std::tuple<at::ScalarType, bool, bool>> {};

TEST_P(TokenGroups, AreAttendedToAsFramesOfTheLatentAre) {
  const auto [dtype, gradients, per_frame] = GetParam();
  const c10::AutoGradMode mode(gradients);
  const ExtendedInputs inputs;
  const auto dit = extended_model(dtype);
  auto times = at::tensor({700.F, 700.F, 40.F, 300.F, 300.F, 0.F}).view({2, 3});
  if (per_frame) times = at::tensor({700.F, 500.F, 40.F, 300.F, 200.F, 0.F}).view({2, 3});
  const auto expected = dit->velocity(inputs.noisy, times, inputs.without_light());

  const auto history = std::make_shared<History>();
  history->build("history", dit->extension_host(), 0);
  history->groups = [&, t = times](const ExtensionPass& pass) {
    const auto last = at::cat({inputs.noisy, inputs.condition[part::kImage]}, 1).narrow(2, 2, 1);
    const auto tokens = pass.embed_patches(last);
    const auto places = wan_positions(1, 4, 4, {2, 0, 0});
    // In two groups: rows 0 and 1, rows 2 and 3.
    return std::vector<TokenGroup>{
        {tokens.narrow(1, 0, 8), places.narrow(1, 0, 8), t.select(1, 2)},
        {tokens.narrow(1, 8, 8), places.narrow(1, 8, 8), t.select(1, 2)}};
  };
  dit->attach(history);
  const Condition condition{{part::kText, inputs.condition[part::kText]},
                            {part::kImage, inputs.condition[part::kImage].narrow(2, 0, 2)}};
  const auto v = dit->velocity(inputs.noisy.narrow(2, 0, 2),
                               per_frame ? times.narrow(1, 0, 2) : times.select(1, 0), condition);

  EXPECT_LE(relative_error(v.detach(), expected.detach().narrow(2, 0, 2)),
            dtype == at::kBFloat16 ? 0.05 : 1e-5);
  EXPECT_EQ(dit->tokens(), 2 * 2 * 48);  // two samples of three frames, twice
}

INSTANTIATE_TEST_SUITE_P(Paths, TokenGroups,
                         ::testing::Combine(::testing::Values(at::kFloat, at::kDouble,
                                                              at::kBFloat16),
                                            ::testing::Bool(), ::testing::Bool()));

TEST(TokenGroups, PassGradientsOnWhereBlocksAreComputedAgain) {
  const ExtendedInputs inputs;
  std::optional<at::Tensor> plain;
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const auto dit = extended_model(dtype);
    const auto history = std::make_shared<History>();
    history->build("history", dit->extension_host(), 0);
    history->require_grad(true);
    history->groups = [&](const ExtensionPass& pass) {
      const auto latent = at::avg_pool3d(inputs.noisy, {3, 4, 4});  // [2, 8, 1, 2, 2]
      return std::vector<TokenGroup>{
          {pass.embed_patches(latent), wan_positions(1, 1, 1, {-4, 0, 0}, {3, 4, 4})}};
    };
    dit->attach(history);
    const auto gradient = [&](bool recompute) {
      dit->recompute_blocks(recompute);
      auto& gain = history->parameters()[0].second;
      gain.mutable_grad() = at::Tensor();
      dit->velocity(inputs.noisy, inputs.timestep, inputs.without_light())
          .square()
          .mean()
          .backward();
      return gain.grad().clone();
    };
    const auto kept = gradient(false);
    ASSERT_GT(kept.abs().max().item<double>(), 0);
    EXPECT_LE(relative_error(gradient(true), kept), 1e-6) << dtype;
    if (plain) {
      EXPECT_LE(relative_error(kept, *plain), 2e-4);
    }
    plain = kept;
  }
}

TEST(PatchEmbedding, GivesTheSameTokenOfAConstantLatentAtEveryRate) {
  const at::NoGradGuard no_grad;
  const auto dit = extended_model();
  const auto constant = at::randn({2, 8, 1, 1, 1}).expand({2, 8, 4, 16, 16}).contiguous();
  const auto token = dit->embed_patches(constant).narrow(1, 0, 1);  // [2, 1, D]
  for (const std::int64_t rate : {1, 2, 4}) {
    const auto pooled = at::avg_pool3d(constant, {rate, rate, rate});
    const auto tokens = dit->embed_patches(pooled);
    EXPECT_EQ(tokens.size(1), 4 / rate * (8 / rate) * (8 / rate));
    EXPECT_LE(relative_error(tokens, token.expand_as(tokens)), 1e-6) << rate;
  }
  EXPECT_THROW(dit->embed_patches(at::zeros({1, 21, 1, 2, 2})), Error);
  EXPECT_THROW(dit->embed_patches(at::zeros({1, 8, 1, 3, 2})), Error);
}

TEST(PatchEmbedding, TakesMissingChannelsForZeros) {
  const at::NoGradGuard no_grad;
  const auto dit = extended_model();
  const auto latent = at::randn({1, 8, 2, 4, 4});
  const auto whole = at::cat({latent, at::zeros({1, 12, 2, 4, 4})}, 1);
  EXPECT_LE(relative_error(dit->embed_patches(latent), dit->embed_patches(whole)), 1e-6);
}

TEST(Positions, OfALatentAreItsGridAndOfPooledTokensTheirMiddles) {
  const auto [cos, sin] = wan_rope(12, 3, 2, 4);
  const auto [c, s] = wan_rope(12, wan_positions(3, 2, 4));
  EXPECT_TRUE(at::equal(c, cos));
  EXPECT_TRUE(at::equal(s, sin));
  const auto pooled = wan_positions(2, 1, 1, {-8, 0, 0}, {4, 2, 3});
  EXPECT_TRUE(
      at::equal(pooled, at::tensor({-6.5, -2.5, 0.5, 0.5, 1.0, 1.0}, at::kDouble).view({3, 2})));
}

}  // namespace
}  // namespace svi
