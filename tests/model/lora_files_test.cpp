#include "svi/model/lora_files.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/made_up_files.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/key_maps.hpp"

namespace svi {
namespace {

using testing::Fixture;
using ::testing::HasSubstr;
using testing::relative_error;

/// One adapted layer as made up for a test.
struct Layer {
  std::string name;
  at::Tensor a, b;
};

std::vector<Layer> some_layers(std::uint64_t seed) {
  at::manual_seed(seed);
  // Ranks differ; one layer lies outside the blocks.
  return {{"blocks.0.self_attn.q", at::randn({3, 32}), at::randn({32, 3})},
          {"blocks.1.cross_attn.k_img", at::randn({2, 32}), at::randn({32, 2})},
          {"blocks.1.ffn.0", at::randn({4, 32}), at::randn({64, 4})},
          {"head.head", at::randn({2, 32}), at::randn({16, 2})}};
}

std::string kohya(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return "lora_unet_" + name;
}

/// The same adapter under the names of one of its homes.
NamedTensors named(const std::vector<Layer>& layers, const std::string& home, bool with_alpha) {
  NamedTensors tensors;
  for (const auto& [name, a, b] : layers) {
    std::string stem, down = ".lora_A.weight", up = ".lora_B.weight";
    if (home == "SVI") {
      stem = "pipe.dit." + name;
      down = ".lora_A.default.weight";
      up = ".lora_B.default.weight";
    } else if (home == "PEFT") {
      stem = "base_model.model." + name;
    } else if (home == "ComfyUI") {
      stem = "diffusion_model." + name;
      down = ".lora_down.weight";
      up = ".lora_up.weight";
    } else if (home == "kohya") {
      stem = kohya(name);
      down = ".lora_down.weight";
      up = ".lora_up.weight";
    } else {
      stem = "transformer." + *diffusers_layer(name);
    }
    tensors.emplace_back(stem + down, a);
    tensors.emplace_back(stem + up, b);
    if (with_alpha)
      tensors.emplace_back(stem + ".alpha", at::full({}, 0.5 * static_cast<double>(a.size(0))));
  }
  return tensors;
}

at::Tensor weight_of(const WanDit& dit, const std::string& name) {
  return testing::find(dit.parameters(), name).clone();
}

class LoraHome : public ::testing::TestWithParam<const char*> {};

TEST_P(LoraHome, IsReadAndMergedAsPlainMatrixProducts) {
  const auto layers = some_layers(5);
  for (const bool with_alpha : {false, true}) {
    auto file = LoraFile::parse(named(layers, GetParam(), with_alpha), "lora.safetensors");
    EXPECT_EQ(file.naming, GetParam());
    ASSERT_EQ(file.updates.size(), layers.size());
    auto dit = testing::two_blocks(8);
    const auto before = testing::two_blocks(8);
    const auto report = merge_lora(*dit, {file, 0.7});
    EXPECT_EQ(report.loaded.size(), layers.size());
    for (const auto& layer : layers) {
      const auto scale = 0.7 * (with_alpha ? 0.5 : 1.0);
      const auto expected =
          weight_of(*before, layer.name + ".weight") + scale * layer.b.matmul(layer.a);
      EXPECT_LE(relative_error(weight_of(*dit, layer.name + ".weight"), expected), 1e-6)
          << layer.name;
    }
    EXPECT_TRUE(at::equal(weight_of(*dit, "blocks.0.self_attn.k.weight"),
                          weight_of(*before, "blocks.0.self_attn.k.weight")));
  }
}

INSTANTIATE_TEST_SUITE_P(Homes, LoraHome,
                         ::testing::Values("SVI", "PEFT", "ComfyUI", "kohya", "diffusers"));

TEST(LoraFile, DenseDifferencesOfDistilledAdaptersAreAdded) {
  const NamedTensors tensors = {
      {"diffusion_model.blocks.0.self_attn.q.diff_b", at::full({32}, 2.0)},
      {"diffusion_model.blocks.1.norm3.diff", at::full({32}, -1.0)},
      {"diffusion_model.blocks.1.self_attn.norm_q.diff", at::full({32}, 3.0)},
      {"diffusion_model.blocks.0.diff_m", at::full({1, 6, 32}, 0.5)},
      {"diffusion_model.patch_embedding.diff", at::full({32, 8, 1, 2, 2}, 0.1)}};
  const auto file = LoraFile::parse(tensors, "lightx2v");
  auto dit = testing::two_blocks(8);
  const auto before = testing::two_blocks(8);
  merge_lora(*dit, {file, 0.5});
  const auto moved = [&](const std::string& name) {
    return (weight_of(*dit, name) - weight_of(*before, name)).mean().item<double>();
  };
  EXPECT_NEAR(moved("blocks.0.self_attn.q.bias"), 1.0, 1e-6);
  EXPECT_NEAR(moved("blocks.1.norm3.weight"), -0.5, 1e-6);
  EXPECT_NEAR(moved("blocks.1.self_attn.norm_q.weight"), 1.5, 1e-6);
  EXPECT_NEAR(moved("blocks.0.modulation"), 0.25, 1e-6);
  EXPECT_NEAR(moved("patch_embedding.weight"), 0.05, 1e-6);
}

TEST(LoraFile, CompanionsOfDanceAreKeptAside) {
  auto tensors = named(some_layers(1), "SVI", false);
  tensors.emplace_back("dwpose_embedding.0.weight", at::zeros({2, 3}));
  const auto file = LoraFile::parse(tensors, "svi-dance");
  ASSERT_EQ(file.others.size(), 1u);
  EXPECT_EQ(file.others[0].first, "dwpose_embedding.0.weight");
}

TEST(LoraFile, SaysWhatIsWrong) {
  const auto refusal = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const IoError& error) {
      return error.what();
    }
    return "accepted";
  };
  auto tensors = named(some_layers(1), "SVI", false);
  tensors.emplace_back("pipe.dit.strange", at::zeros({1}));
  EXPECT_THAT(refusal([&] { LoraFile::parse(tensors, "l.st"); }), HasSubstr("pipe.dit.strange"));
  tensors = named(some_layers(1), "SVI", false);
  tensors.erase(tensors.begin());
  EXPECT_THAT(refusal([&] { LoraFile::parse(tensors, "l.st"); }), HasSubstr("A is missing"));
  tensors[0].second = at::zeros({32, 7});
  const auto layers = some_layers(1);
  tensors.insert(tensors.begin(),
                 {"pipe.dit.blocks.0.self_attn.q.lora_A.default.weight", layers[0].a});
  EXPECT_THAT(refusal([&] { LoraFile::parse(tensors, "l.st"); }), HasSubstr("no rank in common"));
  EXPECT_THAT(refusal([&] { LoraFile::parse({}, "l.st"); }), HasSubstr("holds no adapter"));

  auto elsewhere = layers;
  elsewhere[0].name = "blocks.7.self_attn.q";
  const auto file = LoraFile::parse(named(elsewhere, "SVI", false), "l.st");
  auto dit = testing::two_blocks(8);
  const auto before = weight_of(*dit, "head.head.weight");
  EXPECT_THAT(refusal([&] {
                merge_lora(*dit, {file, 1});
              }),
              HasSubstr("blocks.7.self_attn.q.weight"));
  EXPECT_TRUE(at::equal(weight_of(*dit, "head.head.weight"), before)) << "merged in part";
  EXPECT_EQ(merge_lora(*dit, {file, 1}, /*allow_unmatched=*/true).unexpected.size(), 1u);
}

TEST(LoraFile, MetadataOfOwnFilesTellsAlpha) {
  const TemporaryFolder folder;
  const auto layers = some_layers(2);
  save_safetensors(folder / "l.safetensors", named(layers, "SVI", false), {{"alpha", "6"}});
  const auto file = LoraFile::open(folder / "l.safetensors");
  for (const auto& update : file.updates)
    EXPECT_EQ(update.scale, 6.0 / static_cast<double>(update.a.size(0)));
}

TEST(ComposedLoras, ActLikeAllOfThemMerged) {
  auto first = some_layers(3), second = some_layers(4);
  first.pop_back();  // only layers of the blocks can be kept apart
  second.pop_back();
  second.erase(second.begin());
  const std::vector<WeightedLora> loras = {
      {LoraFile::parse(named(first, "kohya", true), "one"), 0.8},
      {LoraFile::parse(named(second, "SVI", false), "two"), -0.3}};
  auto merged = testing::two_blocks(8), apart = testing::two_blocks(8);
  for (const auto& lora : loras) merge_lora(*merged, lora);
  apart->attach(compose_loras(loras, apart->linears()));

  const at::NoGradGuard no_grad;
  const auto noisy = at::randn({1, 4, 3, 4, 4});
  const Condition condition{{part::kText, at::randn({1, 5, 12})},
                            {part::kImage, at::randn({1, 4, 3, 4, 4})},
                            {part::kClip, at::randn({1, 3, 16})}};
  const auto time = at::full({1}, 600.0);
  EXPECT_LE(relative_error(apart->velocity(noisy, time, condition),
                           merged->velocity(noisy, time, condition)),
            1e-5);
}

TEST(ComposedLoras, RefuseWhatOnlyMergingCanDo) {
  const auto dit = testing::two_blocks(8);
  const WeightedLora outside{LoraFile::parse(named(some_layers(3), "SVI", false), "one"), 1};
  EXPECT_THROW(compose_loras({outside}, dit->linears()), IoError);
}

}  // namespace
}  // namespace svi
