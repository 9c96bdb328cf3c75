#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/pretrained/dit_file.hpp"
#include "svi/pretrained/dit_opener.hpp"
#include "svi/pretrained/pretrained.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kPocket = std::string(SVI_SOURCE_DIR) + "/data/pocket/";
const Registry kNothing;  // no text is encoded here

/// The pocket's transformer behind a nest, each value times a factor.
NamedTensors pocket_dit(const std::string& nest, double factor = 1) {
  NamedTensors tensors;
  for (const auto& [name, tensor] : SafetensorsFile::open(kPocket + "dit.safetensors").load_all())
    tensors.emplace_back(nest + name, factor == 1 ? tensor : tensor * factor);
  return tensors;
}

NamedTensors operator+(NamedTensors one, const NamedTensors& two) {
  one.insert(one.end(), two.begin(), two.end());
  return one;
}

/// Opens the headers of the pocket with other files; "accepted", or the message.
std::string refusal_of(const PretrainedConfig& config) {
  try {
    const Pretrained model(config, at::kCPU, kNothing);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(DitFile, ANestedCopyIsTheTransformerThatIsChosen) {
  const TemporaryFolder folder;
  const auto path = folder / "dit.safetensors";
  save_safetensors(path, pocket_dit("generator.model._orig_mod.") +
                             pocket_dit("generator_ema.model._fsdp_wrapped_module.", 2));
  for (const auto& [copy, factor] :
       {std::pair("generator", 1.0), std::pair("generator_ema", 2.0)}) {
    const auto file = open_dit_file(path, ModelLayout::trained, 4, copy);
    const auto expected = pocket_dit("", factor);
    ASSERT_EQ(file.weights.size(), expected.size());
    EXPECT_EQ(file.config.dim, 128);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(file.weights[i].first, expected[i].first);
      EXPECT_TRUE(at::equal(file.weights[i].second, expected[i].second)) << expected[i].first;
    }
  }
  PretrainedConfig config;
  config.dit = path;
  EXPECT_THAT(refusal_of(config), AllOf(HasSubstr(path), HasSubstr("--set model.copy=NAME"),
                                        HasSubstr("generator_ema.model")));
  config.copy = "generator_ema";
  EXPECT_EQ(refusal_of(config), "accepted");
  config.copy = "ema";
  EXPECT_THAT(refusal_of(config), HasSubstr("no copy 'ema'"));
}

TEST(DitFile, CopiesOfOneFileAreDifferentFilms) {
  const TemporaryFolder folder;
  PretrainedConfig config;
  config.dit = folder / "dit.safetensors";
  save_safetensors(config.dit, pocket_dit("model.") + pocket_dit("ema.", 2));
  config.copy = "model";
  const auto one = Pretrained(config, at::kCPU, kNothing).identity();
  config.copy = "ema";
  EXPECT_NE(Pretrained(config, at::kCPU, kNothing).identity(), one);
}

TEST(DitFile, AScaledOneWithoutAScaleIsRefusedBeforeAFilmIsBegun) {
  const TemporaryFolder folder;
  PretrainedConfig config;
  config.dit = folder / "dit.safetensors";
  NamedTensors scaled;
  for (const auto& [name, tensor] : pocket_dit("")) {
    const bool narrow = name.starts_with("blocks.") && name.ends_with("ffn.0.weight");
    scaled.emplace_back(name, narrow ? tensor.to(at::kFloat8_e4m3fn) : tensor);
    if (narrow && name != "blocks.1.ffn.0.weight")
      scaled.emplace_back(name.substr(0, name.size() - 6) + "scale_weight", at::full({}, 0.5));
  }
  save_safetensors(config.dit, scaled);
  EXPECT_THAT(refusal_of(config),
              AllOf(HasSubstr(config.dit), HasSubstr("'blocks.1.ffn.0.weight': has no scale")));
  scaled.emplace_back("blocks.1.ffn.0.scale_weight", at::full({}, 0.5));
  save_safetensors(config.dit, scaled);
  EXPECT_EQ(refusal_of(config), "accepted");
}

NamedTensors adapter(const std::string& layer) {
  return {{layer + ".lora_down.weight", at::full({2, 128}, 0.1)},
          {layer + ".lora_up.weight", at::full({128, 2}, 0.1)}};
}

TEST(Adapters, ThatDoNotFitAreRefusedBeforeAFilmIsBegun) {
  const TemporaryFolder folder;
  PretrainedConfig config;
  config.lora = {folder / "l.safetensors"};
  save_safetensors(config.lora[0], adapter("diffusion_model.blocks.0.other"));
  EXPECT_THAT(refusal_of(config), HasSubstr("diffusion_model.blocks.0.other.lora_down.weight"));
  save_safetensors(config.lora[0], adapter("diffusion_model.blocks.99.self_attn.q"));
  EXPECT_THAT(refusal_of(config), HasSubstr("blocks.99.self_attn.q.weight"));
  save_safetensors(config.lora[0], adapter("lora_unet_blocks.0.self_attn.q"));
  EXPECT_EQ(refusal_of(config), "accepted");
  save_safetensors(config.lora[0], {{"blocks.0.norm3.diff", at::ones({128})}});
  EXPECT_EQ(refusal_of(config), "accepted");
  config.resident_blocks = 0;
  EXPECT_THAT(refusal_of(config), HasSubstr("an adapter kept apart cannot"));
}

TEST(Adapters, OfEverySpellingMakeTheSameTransformer) {
  const TemporaryFolder folder;
  at::Tensor first;
  for (const std::string layer :
       {"lora_unet_blocks_0_self_attn_q", "lora_unet_blocks.0.self_attn.q",
        "diffusion_model.blocks.0.self_attn.q"}) {
    PretrainedConfig config;
    config.lora = {folder / "l.safetensors=0.5"};
    save_safetensors(folder / "l.safetensors",
                     adapter(layer) + NamedTensors{{layer + ".alpha", at::full({}, 4.0)}});
    Pretrained model(config, at::kCPU, kNothing);
    for (const auto& [name, weight] : model.dit().parameters()) {
      if (name != "blocks.0.self_attn.q.weight") continue;
      const auto moved = weight - SafetensorsFile::open(kPocket + "dit.safetensors").load(name);
      EXPECT_NEAR(moved.mean().item<double>(), 0.5 * 2 * 2 * 0.1 * 0.1, 1e-5);
      if (!first.defined()) first = weight.clone();
      EXPECT_TRUE(at::equal(weight, first)) << layer;
    }
    ASSERT_TRUE(first.defined());
  }
}

/// A velocity of the pocket's transformer for random inputs.
at::Tensor pocket_velocity(const WanDit& dit) {
  const at::NoGradGuard no_grad;
  const auto& c = dit.config();
  const auto C = c.out_dim;
  const Condition told{
      {part::kText, normal({1, Purpose::test, 1, 0}, {1, 24, c.text_dim})},
      {part::kImage, normal({1, Purpose::test, 2, 0}, {1, c.in_dim - C, 5, 8, 8})}};
  return dit.velocity(normal({1, Purpose::test, 3, 0}, {1, C, 5, 8, 8}), at::full({1}, 500.0F),
                      told);
}

TEST(DitOpener, GivesWhatMergingPlacingAndRoundingByHandGive) {
  PretrainedConfig config;
  config.lora = {"erft.safetensors=0.5", kPocket + "erft.safetensors"};
  config.dtype = ComputeType::fp32;
  config.int8 = true;
  const auto files = find_model("pocket");
  const auto by_hand = [&](bool int8) {
    const auto file = open_dit_file(files.dit, files.layout, 4);
    auto dit = std::make_unique<WanDit>(file.config, at::TensorOptions(at::kMeta));
    dit->adopt(file.weights, files.dit.string());
    const auto lora = LoraFile::open(kPocket + "erft.safetensors");
    merge_lora(*dit, {lora, 0.5});
    merge_lora(*dit, {lora, 1});
    dit->place({});
    if (int8) dit->quantise();
    return pocket_velocity(*dit);
  };
  const auto whole = by_hand(false), eight = by_hand(true);
  EXPECT_TRUE(
      at::equal(pocket_velocity(*DitOpener(config, files, 4, at::kCPU).for_films()), eight));
  EXPECT_TRUE(at::equal(pocket_velocity(Pretrained(config, at::kCPU, kNothing).dit()), eight));
  EXPECT_FALSE(at::equal(whole, eight));
  // Training has all of the weights; films may have another adapter behind those of [model].
  EXPECT_TRUE(at::equal(
      pocket_velocity(*DitOpener(config, files, 4, at::kCPU).for_training(at::kFloat)), whole));
  config.int8 = false;
  config.lora.pop_back();
  const WeightedLora own{LoraFile::open(kPocket + "erft.safetensors"), 1};
  EXPECT_TRUE(
      at::equal(pocket_velocity(*DitOpener(config, files, 4, at::kCPU).for_films({own})), whole));
  config.resident_blocks = 1;  // adapters stay apart
  const auto apart = pocket_velocity(*DitOpener(config, files, 4, at::kCPU).for_films({own}));
  EXPECT_LT(((apart - whole).norm() / whole.norm()).item<double>(), 1e-5);
}

}  // namespace
}  // namespace svi
