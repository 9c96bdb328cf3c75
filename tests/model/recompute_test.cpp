#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>

#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

WanDitConfig recompute_sizes() {
  WanDitConfig config;
  config.in_dim = 20;
  config.out_dim = 8;
  config.dim = 48;
  config.ffn_dim = 96;
  config.freq_dim = 32;
  config.text_dim = 24;
  config.text_len = 12;
  config.heads = 4;
  config.layers = 6;
  config.image_dim = 16;
  return config;
}

struct RecomputeInputs {
  at::Tensor noisy = at::randn({2, 8, 5, 8, 8});
  at::Tensor timestep = at::full({2}, 700.0);
  Condition condition = {{part::kText, at::randn({2, 9, 24})},
                         {part::kImage, at::randn({2, 12, 5, 8, 8})},
                         {part::kClip, at::randn({2, 7, 16})}};
};

std::unique_ptr<WanDit> recompute_model(at::ScalarType dtype) {
  auto dit = std::make_unique<WanDit>(recompute_sizes());
  at::manual_seed(3);
  for (auto& [name, weight] : dit->parameters()) weight.normal_(0, 0.15);
  dit->to(at::kCPU, dtype);
  return dit;
}

/// The output and, after it, the gradient of every trained tensor.
std::vector<at::Tensor> outcome(WanDit& dit, const RecomputeInputs& inputs, bool recompute) {
  dit.recompute_blocks(recompute);
  const auto v = dit.velocity(inputs.noisy, inputs.timestep, inputs.condition);
  v.square().mean().backward();
  std::vector<at::Tensor> results{v.detach()};
  if (const auto lora = dit.lora()) {
    results.push_back(lora->flat_grad().clone());
    lora->zero_grad();
    return results;
  }
  for (auto& [name, weight] : dit.parameters()) {
    results.push_back(weight.grad().clone());
    weight.mutable_grad() = at::Tensor();
  }
  return results;
}

// fp32 runs the fused operations, fp64 and bf16 the plain ones.
class Recompute : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(Recompute, GivesAdaptersTheVeryGradientsOfThePlainPass) {
  const auto dit = recompute_model(GetParam());
  auto lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 4}, dit->linears(), 5);
  lora->flat().normal_(0, 0.1);
  lora->require_grad(true);
  dit->attach(lora);
  RecomputeInputs inputs;
  for (const auto& timestep : {inputs.timestep, at::rand({2, 5}) * 1000}) {  // [B], [B, F]
    inputs.timestep = timestep;
    const auto plain = outcome(*dit, inputs, false), again = outcome(*dit, inputs, true);
    ASSERT_GT(plain[1].abs().max().item<double>(), 0);
    EXPECT_TRUE(at::equal(plain[0], again[0]));
    EXPECT_TRUE(at::equal(plain[1], again[1]));
  }
}

TEST_P(Recompute, ReachesEveryWeightThroughTimeTextAndImage) {
  const auto dtype = GetParam();
  const auto dit = recompute_model(dtype);
  dit->require_grad(true);
  RecomputeInputs inputs;
  const double tolerance = dtype == at::kBFloat16 ? 2e-2 : 1e-5;  // blocks add up in another order
  for (const auto& timestep : {inputs.timestep, at::rand({2, 5}) * 1000}) {  // [B], [B, F]
    inputs.timestep = timestep;
    const auto plain = outcome(*dit, inputs, false), again = outcome(*dit, inputs, true);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      const auto scale = plain[i].abs().max().item<double>();
      EXPECT_LE((plain[i] - again[i]).abs().max().item<double>(), tolerance * scale) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Recompute,
                         ::testing::Values(at::kFloat, at::kDouble, at::kBFloat16));

TEST(Recompute, NeedsNoImageBranch) {
  auto sizes = recompute_sizes();
  sizes.image_dim = 0;
  WanDit dit(sizes);
  at::manual_seed(3);
  for (auto& [name, weight] : dit.parameters()) weight.normal_(0, 0.15);
  dit.require_grad(true);
  RecomputeInputs inputs;
  inputs.condition.set(part::kClip, at::Tensor());
  const auto plain = outcome(dit, inputs, false), again = outcome(dit, inputs, true);
  EXPECT_TRUE(at::equal(plain[0], again[0]));
  for (std::size_t i = 1; i < plain.size(); ++i)
    EXPECT_TRUE(at::allclose(plain[i], again[i], 1e-5, 1e-6)) << i;
}

double kept_bytes(WanDit& dit, const RecomputeInputs& inputs, bool recompute) {
  dit.recompute_blocks(recompute);
  const auto used = [] {
    const auto info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
  };
  const auto before = used();
  const auto v = dit.velocity(inputs.noisy, inputs.timestep, inputs.condition);
  return used() - before;
}

TEST(Recompute, KeepsOneInputPerBlockInsteadOfEverything) {
  const auto dit = recompute_model(at::kFloat);
  auto lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 4}, dit->linears(), 5);
  lora->require_grad(true);
  dit->attach(lora);
  RecomputeInputs inputs;
  inputs.noisy = at::randn({1, 8, 5, 32, 32});
  inputs.timestep = at::full({1}, 700.0);
  inputs.condition = {{part::kText, at::randn({1, 9, 24})},
                      {part::kImage, at::randn({1, 12, 5, 32, 32})},
                      {part::kClip, at::randn({1, 7, 16})}};
  kept_bytes(*dit, inputs, false);  // tables that are made once
  const auto all = kept_bytes(*dit, inputs, false), few = kept_bytes(*dit, inputs, true);
  EXPECT_LT(few, all / 4);
}

}  // namespace
}  // namespace svi
