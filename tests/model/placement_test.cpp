#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "model/fixtures.hpp"
#include "model/memory_meter.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/dit_placement.hpp"

namespace svi {
namespace {

using testing::find;
using ::testing::HasSubstr;
using testing::MemoryMeter;
using testing::relative_error;

WanDitConfig sizes() {
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

struct Inputs {
  at::Tensor noisy = at::randn({2, 8, 3, 8, 8});
  at::Tensor timestep = at::tensor({700.F, 200.F});
  Condition condition = {{part::kText, at::randn({2, 9, 24})},
                         {part::kImage, at::randn({2, 12, 3, 8, 8})},
                         {part::kClip, at::randn({2, 7, 16})}};
};

at::Tensor velocity(const WanDit& dit, const Inputs& inputs) {
  const at::NoGradGuard no_grad;
  return dit.velocity(inputs.noisy, inputs.timestep, inputs.condition);
}

/// Random weights of the official names, linear layers in `dtype`, the rest in fp32.
NamedTensors random_weights(const WanDitConfig& config, at::ScalarType dtype = at::kFloat) {
  at::manual_seed(3);
  const WanDit shapes(config, at::TensorOptions(at::kMeta));
  NamedTensors weights;
  for (const auto& [name, shape] : shapes.parameters()) {
    const bool matrix = shape.dim() == 2;
    const auto scale = matrix ? 1 / std::sqrt(static_cast<double>(shape.size(1))) : 0.2;
    const auto value = at::randn(shape.sizes()) * scale;
    const bool gain = name.find("norm") != std::string::npos && name.ends_with("weight");
    weights.emplace_back(name, (gain ? value + 1 : value).to(matrix ? dtype : at::kFloat));
  }
  return weights;
}

std::unique_ptr<WanDit> adopted(const NamedTensors& weights, const WanDitConfig& config = sizes()) {
  auto dit = std::make_unique<WanDit>(config, at::TensorOptions(at::kMeta));
  dit->adopt(weights);
  return dit;
}

std::unique_ptr<WanDit> loaded(const NamedTensors& weights, const WanDitConfig& config = sizes()) {
  auto dit = std::make_unique<WanDit>(config);
  dit->load(weights);
  return dit;
}

/// The weights in a file, mapped; the file is gone when this is.
class Mapped {
 public:
  explicit Mapped(const NamedTensors& weights)
      : path_(std::filesystem::temp_directory_path() /
              ("placement_test_" + std::to_string(::getpid()) + ".safetensors")) {
    save_safetensors(path_, weights);
    tensors_ = open_weights(path_);
  }
  ~Mapped() { std::filesystem::remove(path_); }
  const NamedTensors& tensors() const { return tensors_; }

 private:
  std::filesystem::path path_;
  NamedTensors tensors_;
};

class Stored : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(Stored, WeightsPredictTheVeryNumbersOfWeightsConvertedFirst) {
  const auto weights = random_weights(sizes(), GetParam());
  const Inputs inputs;
  const auto expected = velocity(*loaded(weights), inputs);
  const Mapped file(weights);
  const auto dit = adopted(file.tensors());

  EXPECT_TRUE(at::equal(velocity(*dit, inputs), expected));
  for (const auto storage : {WeightStorage::stored, WeightStorage::compute}) {
    for (const std::int64_t resident : {0, 1, 5, 6, -1}) {
      dit->place({.resident_blocks = resident, .storage = storage, .release_pages = true});
      EXPECT_TRUE(at::equal(velocity(*dit, inputs), expected)) << resident;
    }
  }
}

TEST_P(Stored, WeightsComputeInBfloat16WithinTwoPercentOfFp32) {
  const auto weights = random_weights(sizes(), GetParam());
  const Inputs inputs;
  const auto dit = adopted(weights);
  const auto expected = velocity(*dit, inputs);

  dit->place({.compute = at::kBFloat16, .resident_blocks = 2});
  const auto streamed = velocity(*dit, inputs);
  dit->place({.compute = at::kBFloat16});

  EXPECT_LE(relative_error(streamed, expected), 2e-2);
  EXPECT_TRUE(at::equal(velocity(*dit, inputs), streamed));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Stored,
                         ::testing::Values(at::kFloat, at::kBFloat16, at::kHalf,
                                           at::kFloat8_e4m3fn));

TEST(Adopt, TakesFp32WeightsWithoutCopyingThem) {
  const Mapped file(random_weights(sizes()));
  const auto dit = adopted(file.tensors());

  for (const auto& [name, weight] : dit->parameters()) {
    EXPECT_EQ(weight.const_data_ptr(), find(file.tensors(), name).const_data_ptr()) << name;
  }
}

TEST(Adopt, NeedsNoMemoryForTheBlocksOfA14BModel) {
  WanDitConfig large;
  large.dim = 5120;
  large.ffn_dim = 13824;
  large.heads = large.layers = 40;
  large.in_dim = 36;
  large.image_dim = 1280;
  const auto weights =
      WanDit(large, at::TensorOptions(at::kMeta).dtype(at::kBFloat16)).parameters();
  const MemoryMeter meter;

  const auto dit = adopted(weights, large);

  EXPECT_LT(meter.peak(), 1 << 20);
  EXPECT_EQ(find(dit->parameters(), "blocks.39.ffn.0.weight").scalar_type(), at::kBFloat16);
}

TEST(Adopt, RefusesWhatDoesNotFitAndKeepsWhatItHad) {
  const auto weights = random_weights(sizes());
  const auto dit = adopted(weights);
  const Inputs inputs;
  const auto before = velocity(*dit, inputs);
  auto missing = weights, integers = weights;
  missing.pop_back();
  integers.back().second = integers.back().second.to(at::kInt);

  EXPECT_THROW(dit->adopt(missing, "file"), IoError);
  try {
    dit->adopt(integers, "model.safetensors");
    FAIL() << "expected an IoError";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("model.safetensors: img_emb.proj.4.bias is stored as Int"));
  }
  EXPECT_TRUE(at::equal(velocity(*dit, inputs), before));
}

TEST(Placement, RefusesWhatCannotBe) {
  const auto dit = adopted(random_weights(sizes()));

  EXPECT_THROW(dit->place({.compute = at::kFloat8_e4m3fn}), ConfigError);
  EXPECT_THROW(dit->place({.resident_blocks = -2}), ConfigError);
  EXPECT_THROW(dit->place({.device = at::Device(at::kMeta)}), ConfigError);
}

std::int64_t block_bytes(const WanDit& dit, at::ScalarType dtype) {
  std::int64_t numbers = 0;
  for (const auto& shape : dit.linears()) {
    if (shape.name.starts_with("blocks.0.")) numbers += shape.in * shape.out;
  }
  return numbers * static_cast<std::int64_t>(c10::elementSize(dtype));
}

TEST(Placement, HoldsNoMoreThanTheResidentBlocksAndTwoMore) {
  auto config = sizes();
  config.dim = 128;
  config.ffn_dim = 512;
  const auto weights = random_weights(config, at::kBFloat16);
  const Inputs inputs;
  const auto peak = [&](const WanDit& dit) {
    const MemoryMeter meter;
    velocity(dit, inputs);
    return meter.peak();
  };
  const auto dit = adopted(weights, config);
  const auto block = block_bytes(*dit, at::kFloat);
  const MemoryMeter all;
  dit->place({});
  EXPECT_GE(all.current(), 6 * block);
  const auto activations = peak(*dit);
  constexpr std::int64_t kRounding = 1 << 14;  // of the allocator

  for (const std::int64_t resident : {0, 2}) {
    const auto streamed = adopted(weights, config);
    const MemoryMeter meter;
    streamed->place({.resident_blocks = resident});
    EXPECT_LE(meter.peak(), resident * block + kRounding) << resident;
    EXPECT_LE(peak(*streamed), 2 * block + activations + kRounding) << resident;
  }
}

TEST(Placement, TellsWhatTheThreadThatFetchesBlocksRanInto) {
  auto weights = random_weights(sizes());
  for (auto& [name, weight] : weights) {
    if (name == "blocks.3.ffn.2.weight") weight = at::empty(weight.sizes(), at::kMeta);
  }
  const auto dit = adopted(weights);

  try {
    velocity(*dit, Inputs());
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("blocks.3.ffn.2.weight has no values"));
  }
}

TEST(Placement, TrainsAdaptersOverStoredWeightsWithTheSameGradients) {
  const auto weights = random_weights(sizes(), at::kBFloat16);
  const Inputs inputs;
  std::vector<at::Tensor> gradients;
  for (const bool streamed : {false, true}) {
    const auto dit = streamed ? adopted(weights) : loaded(weights);
    const auto lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 4}, dit->linears(), 5);
    at::manual_seed(9);
    lora->flat().normal_(0, 0.1);
    dit->attach(lora);
    dit->recompute_blocks(true);
    dit->velocity(inputs.noisy, inputs.timestep, inputs.condition).square().mean().backward();
    gradients.push_back(lora->flat_grad().clone());
  }

  EXPECT_GT(gradients[0].abs().max().item<double>(), 0);
  EXPECT_TRUE(at::equal(gradients[0], gradients[1]));
  EXPECT_THROW(adopted(weights)->require_grad(true), Error);
}

}  // namespace
}  // namespace svi
