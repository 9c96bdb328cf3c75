#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

using testing::find;
using ::testing::HasSubstr;

WanDitConfig wide_sizes() {
  WanDitConfig config;
  config.in_dim = 16;
  config.out_dim = 8;
  config.dim = 256;
  config.ffn_dim = 512;
  config.freq_dim = 64;
  config.text_dim = 32;
  config.text_len = 12;
  config.heads = 4;
  config.layers = 3;
  return config;
}

std::unique_ptr<WanDit> wide_model(at::ScalarType dtype = at::kFloat) {
  auto dit = std::make_unique<WanDit>(wide_sizes());
  at::manual_seed(3);
  for (auto& [name, weight] : dit->parameters()) {
    if (weight.dim() >= 2) weight.normal_(0, 1 / std::sqrt(static_cast<double>(weight[0].numel())));
  }
  dit->to(at::kCPU, dtype);
  return dit;
}

at::Tensor wide_velocity(const WanDit& dit) {
  const at::NoGradGuard no_grad;
  at::manual_seed(11);
  return dit.velocity(at::randn({2, 16, 2, 8, 8}), at::tensor({800.F, 300.F}),
                      {{part::kText, at::randn({2, 9, 32})}});
}

double rms_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

TEST(Quantise, ChangesNoWeightByMoreThanHalfAStepOfItsGroup) {
  for (const std::int64_t group : {0, 64, 100}) {  // 100 divides no width: whole rows
    const auto dit = wide_model();
    std::map<std::string, at::Tensor> before;
    for (const auto& [name, weight] : dit->parameters()) before[name] = weight.clone();
    dit->quantise({.group = group});
    for (const auto& [name, weight] : dit->parameters()) {
      EXPECT_EQ(weight.scalar_type() == at::kChar, name.starts_with("blocks.") && weight.dim() == 2)
          << name;
    }
    dit->to(at::kCPU, at::kFloat);

    for (const auto& layer : dit->linears()) {
      const auto& was = before.at(layer.name + ".weight");
      const auto off = (find(dit->parameters(), layer.name + ".weight") - was).abs();
      const auto width = group == 64 ? 64 : layer.in;
      const auto split = [&](const at::Tensor& t) { return t.unflatten(1, {-1, width}); };
      const auto half_step = split(was).abs().amax(-1, true) / 254;
      EXPECT_TRUE((split(off) <= half_step * 1.0001).all().item<bool>()) << layer.name;
    }
  }
}

TEST(Quantise, ReportsWhatItDidToTheVelocity) {
  const auto dit = wide_model();
  const auto before = wide_velocity(*dit);

  const auto report = dit->quantise();

  EXPECT_EQ(report.layers, 3 * 10);
  EXPECT_GT(report.velocity_error, 1e-4);
  EXPECT_LT(report.velocity_error, 0.03);
  EXPECT_GT(report.worst_weight_error, 1e-3);
  EXPECT_LT(report.worst_weight_error, 0.01);  // Gaussian weights: about 1.2 % of a step's 127th
  const auto error = rms_error(wide_velocity(*dit), before);
  EXPECT_LT(error, 2 * report.velocity_error);
  EXPECT_GT(error, report.velocity_error / 2);
  EXPECT_THAT(report.text(), HasSubstr("30 layers in 8 bits"));
}

TEST(Quantise, HalvesTheMemoryOfBfloat16Weights) {
  const auto dit = wide_model(at::kBFloat16);

  const auto report = dit->quantise({.limit = 0.1});  // bf16 rounding shows in both predictions

  EXPECT_LT(static_cast<double>(report.bytes_after),
            0.52 * static_cast<double>(report.bytes_before));
}

TEST(Quantise, PredictsTheSameWhereverBlocksAreKept) {
  const auto dit = wide_model();
  dit->quantise();
  const auto expected = wide_velocity(*dit);

  for (const auto storage : {WeightStorage::compute, WeightStorage::stored}) {
    for (const std::int64_t resident : {0, 1, -1}) {
      dit->place({.resident_blocks = resident, .storage = storage});
      EXPECT_TRUE(at::equal(wide_velocity(*dit), expected)) << resident;
    }
  }
  // Widened weights may go to the library's product, which adds in another order.
  dit->to(at::kCPU, at::kFloat);
  const auto change = (wide_velocity(*dit) - expected).abs().max() / expected.abs().max();
  EXPECT_LE(change.item<double>(), 1e-5);
}

// One large weight per row leaves the others of its group without steps.
std::unique_ptr<WanDit> poisoned() {
  auto dit = wide_model();
  for (auto& [name, weight] : dit->parameters()) {
    if (name == "blocks.1.ffn.0.weight") weight.select(1, 7).fill_(60);
  }
  return dit;
}

TEST(Quantise, RefusesAnOutlierThatDrownsItsRowUnlessAllowed) {
  const auto dit = poisoned();
  const auto before = wide_velocity(*dit);

  try {
    dit->quantise({.group = 0});
    FAIL() << "expected a ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("blocks.1.ffn.0"));
    EXPECT_THAT(error.what(), HasSubstr("smaller group"));
  }
  EXPECT_TRUE(at::equal(wide_velocity(*dit), before));  // nothing was changed

  EXPECT_GT(dit->quantise({.group = 0, .allow = true}).velocity_error, 0.03);
}

TEST(Quantise, RefusesWeightsThatAreNotFiniteAndModelsThatPredictNothing) {
  const auto broken = wide_model();
  for (auto& [name, weight] : broken->parameters()) {
    if (name == "blocks.2.ffn.2.weight") weight[0][0] = std::nan("");
  }
  EXPECT_THROW(broken->quantise({.allow = true}), ConfigError);

  WanDit fresh(wide_sizes());
  fresh.initialise(1);
  EXPECT_THROW(fresh.quantise(), ConfigError);
  EXPECT_THROW(fresh.quantise({.group = -1}), ConfigError);
}

TEST(Quantise, KeepsAdaptersApartAndRefusesToMergeThem) {
  const auto dit = wide_model();
  const auto lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 4}, dit->linears(), 5);
  at::manual_seed(9);
  lora->flat().normal_(0, 0.1);
  lora->require_grad(false);
  dit->attach(lora);
  const auto before = wide_velocity(*dit);

  const auto report = dit->quantise();

  EXPECT_LT(rms_error(wide_velocity(*dit), before), 2 * report.velocity_error + 1e-3);
  EXPECT_THROW(merge_lora(*dit, {LoraFile::of(*lora, "lora"), 1}), ConfigError);
  EXPECT_THROW(dit->load(wide_model()->parameters()), Error);
}

}  // namespace
}  // namespace svi
