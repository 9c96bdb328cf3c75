#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/made_up_files.hpp"
#include "support/temporary_folder.hpp"
#include "svi/model/lora_files.hpp"

namespace svi {
namespace {

using ::testing::AllOf;
using testing::find;
using ::testing::HasSubstr;
using testing::joined;
using testing::refused_with;
using testing::under;

/// A layer under the official name, that of diffusers, and with underscores.
struct Spelling {
  const char* official;
  const char* diffusers;
  std::int64_t in, out;
};

const Spelling kLayers[] = {
    {"blocks.0.self_attn.q", "blocks.0.attn1.to_q", 32, 32},
    {"blocks.0.self_attn.o", "blocks.0.attn1.to_out.0", 32, 32},
    {"blocks.1.cross_attn.k", "blocks.1.attn2.to_k", 32, 32},
    {"blocks.1.cross_attn.k_img", "blocks.1.attn2.add_k_proj", 32, 32},
    {"blocks.1.cross_attn.v_img", "blocks.1.attn2.add_v_proj", 32, 32},
    {"blocks.1.ffn.0", "blocks.1.ffn.net.0.proj", 32, 64},
    {"blocks.1.ffn.2", "blocks.1.ffn.net.2", 64, 32},
    {"text_embedding.0", "condition_embedder.text_embedder.linear_1", 12, 32},
    {"time_embedding.2", "condition_embedder.time_embedder.linear_2", 32, 32},
    {"time_projection.1", "condition_embedder.time_proj", 32, 192},
    {"img_emb.proj.1", "condition_embedder.image_embedder.ff.net.0.proj", 16, 16},
    {"head.head", "proj_out", 32, 16}};

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// The same adapter of every layer, its names made by `stem`, its endings after `down` and `up`.
template <class Stem>
NamedTensors spelled(const Stem& stem, const std::string& down, const std::string& up) {
  at::manual_seed(7);
  NamedTensors tensors;
  for (const auto& layer : kLayers) {
    tensors.emplace_back(stem(layer) + down, at::randn({3, layer.in}));
    tensors.emplace_back(stem(layer) + up, at::randn({layer.out, 3}));
    tensors.emplace_back(stem(layer) + ".alpha", at::full({}, 6.0));
  }
  return tensors;
}

NamedTensors merged(const NamedTensors& tensors) {
  auto dit = testing::two_blocks(4);
  merge_lora(*dit, {LoraFile::parse(tensors, "l.safetensors"), 0.7});
  NamedTensors weights;
  for (const auto& [name, weight] : dit->parameters()) weights.emplace_back(name, weight.clone());
  return weights;
}

void expect_same(const NamedTensors& tensors, const std::string& spelling) {
  static const auto expected =
      merged(spelled([](const Spelling& layer) { return std::string(layer.official); },
                     ".lora_A.weight", ".lora_B.weight"));
  const auto found = merged(tensors);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(at::equal(found[i].second, expected[i].second)) << spelling << expected[i].first;
}

TEST(LoraSpelling, EveryOneMergesAlike) {
  const std::string prefixes[] = {"",
                                  "lora_unet_",
                                  "lora_unet__",
                                  "diffusion_model.",
                                  "pipe.dit.",
                                  "transformer.",
                                  "base_model.model.",
                                  "lora_transformer_",
                                  "model.diffusion_model.",
                                  "unet.",
                                  "module._orig_mod.",
                                  "generator_ema.model._fsdp_wrapped_module.",
                                  "state_dict.base_model.model.model.",
                                  "lora_unet__orig_mod_"};
  const std::pair<const char*, const char*> endings[] = {
      {".lora_A.weight", ".lora_B.weight"},
      {".lora_A.default.weight", ".lora_B.default.weight"},
      {".lora_down.weight", ".lora_up.weight"},
      {".lora.down.weight", ".lora.up.weight"},
      {".lora_A", ".lora_B"}};
  for (const auto& prefix : prefixes) {
    for (const auto& [down, up] : endings) {
      const auto official = [&](const Spelling& layer) { return prefix + layer.official; };
      const auto diffusers = [&](const Spelling& layer) { return prefix + layer.diffusers; };
      const auto flat = [&](const Spelling& layer) { return prefix + underscored(layer.official); };
      const auto both = [&](const Spelling& layer) {
        return prefix + underscored(layer.diffusers);
      };
      expect_same(spelled(official, down, up), "dots after " + prefix);
      expect_same(spelled(diffusers, down, up), "diffusers' dots after " + prefix);
      expect_same(spelled(flat, down, up), "underscores after " + prefix);
      expect_same(spelled(both, down, up), "diffusers' underscores after " + prefix);
    }
  }
}

TEST(LoraSpelling, OneFileMayMixThem) {
  int turn = 0;
  const auto mixed = [&](const Spelling& layer) {
    switch (turn++ / 3 % 5) {  // a stem is asked for three times per layer
      case 0:
        return std::string("lora_unet_") + layer.official;
      case 1:
        return "lora_unet_" + underscored(layer.official);
      case 2:
        return std::string("diffusion_model.") + layer.official;
      case 3:
        return std::string("transformer.") + layer.diffusers;
      default:
        return std::string("base_model.model.") + layer.official;
    }
  };
  const auto tensors = spelled(mixed, ".lora_down.weight", ".lora_up.weight");
  expect_same(tensors, "mixed");
  const auto file = LoraFile::parse(tensors, "l");
  EXPECT_EQ(file.naming, "kohya and ComfyUI and diffusers and PEFT");
  EXPECT_EQ(file.names.at("lora_unet_blocks.0.self_attn.q.lora_down.weight"),
            "A of blocks.0.self_attn.q.weight");
  EXPECT_EQ(file.names.size(), tensors.size());
}

TEST(LoraSpelling, OfAnotherNetworkIsNotTakenForALayerOfThisOne) {
  for (const auto* stem :
       {"vace_blocks.0.self_attn.q", "lora_unet_vace_blocks_0_self_attn_q", "blocks.0.self_attn",
        "blocks.0.self_attn.q.extra", "lora_te_text_model_encoder_layers_0_mlp_fc1",
        "blocks.x.self_attn.q", "controlnet.blocks.0.self_attn.q", "blocks.0.other"}) {
    const NamedTensors tensors = {{cat(stem, ".lora_A.weight"), at::zeros({2, 32})},
                                  {cat(stem, ".lora_B.weight"), at::zeros({32, 2})}};
    EXPECT_THAT(refused_with([&] { LoraFile::parse(tensors, "l.st"); }),
                AllOf(HasSubstr("l.st"), HasSubstr(stem)));
    EXPECT_TRUE(is_lora(tensors));
  }
}

TEST(LoraSpelling, OneLayerUnderTwoOfThemIsAQuestionOfCopies) {
  const auto one = NamedTensors{{"lora_A.weight", at::full({2, 32}, 1.0)},
                                {"lora_B.weight", at::full({32, 2}, 1.0)}};
  const auto two = joined(under("generator.blocks.0.self_attn.q.", one),
                          under("generator_ema.blocks.0.self_attn.q.", one));
  EXPECT_THAT(refused_with([&] { LoraFile::parse(two, "l.st"); }),
              HasSubstr("l.st: holds 2 networks or copies of one: generator, generator_ema"));
  const auto chosen = LoraFile::parse(two, "l.st", "generator_ema");
  EXPECT_EQ(chosen.updates.size(), 1u);
  EXPECT_EQ(chosen.left_out.size(), 2u);
  // The same spelling twice is no choice.
  EXPECT_THAT(refused_with([&] {
                LoraFile::parse(joined(under("blocks.0.self_attn.q.", one),
                                       under("blocks_0_self_attn_q.", one)),
                                "l.st");
              }),
              HasSubstr("is adapted twice"));
}

NamedTensors layer_of(const std::string& name, std::int64_t rank) {
  return {{name + ".lora_A.weight", at::full({rank, 32}, 0.5)},
          {name + ".lora_B.weight", at::full({32, rank}, 0.25)}};
}

TEST(LoraAlpha, IsPerLayerAndWithoutItTheScaleIsOne) {
  auto tensors = joined(layer_of("blocks.0.self_attn.q", 2), layer_of("blocks.0.self_attn.k", 4));
  tensors.emplace_back("blocks.0.self_attn.q.alpha", at::full({1}, 8.0));
  const auto file = LoraFile::parse(tensors, "l");
  ASSERT_EQ(file.updates.size(), 2u);
  const auto &k = file.updates[0], &q = file.updates[1];
  EXPECT_EQ(k.weight, "blocks.0.self_attn.k.weight");
  EXPECT_EQ(k.rank(), 4);
  EXPECT_FALSE(k.alpha.has_value());
  EXPECT_EQ(k.scale, 1);
  EXPECT_EQ(q.rank(), 2);
  EXPECT_EQ(q.alpha, 8);
  EXPECT_EQ(q.scale, 4);
  EXPECT_EQ(file.warning(), "");
  const auto before = testing::two_blocks(4);
  auto dit = testing::two_blocks(4);
  merge_lora(*dit, {file, 1});
  const auto moved = [&](const std::string& name) {
    return (find(dit->parameters(), name) - find(before->parameters(), name)).mean().item<double>();
  };
  EXPECT_NEAR(moved("blocks.0.self_attn.k.weight"), 4 * 0.5 * 0.25, 1e-6);
  EXPECT_NEAR(moved("blocks.0.self_attn.q.weight"), 4 * 2 * 0.5 * 0.25, 1e-6);
}

TEST(LoraAlpha, OfTheMetadataIsForLayersThatTellNoneAndNoOther) {
  const TemporaryFolder folder;
  auto tensors = joined(layer_of("blocks.0.self_attn.q", 2), layer_of("blocks.0.self_attn.k", 4));
  tensors.emplace_back("blocks.0.self_attn.q.alpha", at::full({}, 2.0));  // as the rank: scale 1
  save_safetensors(folder / "l.safetensors", tensors, {{"alpha", "6"}});
  const auto file = LoraFile::open(folder / "l.safetensors");
  EXPECT_EQ(file.updates[0].scale, 1.5);
  EXPECT_EQ(file.updates[1].scale, 1);
  for (const auto* alpha : {"six", "nan", "inf", "6x", ""}) {
    save_safetensors(folder / "l.safetensors", tensors, {{"alpha", alpha}});
    EXPECT_THAT(refused_with([&] { LoraFile::open(folder / "l.safetensors"); }),
                HasSubstr("its metadata alpha"))
        << alpha;
  }
}

TEST(LoraAlpha, OfPeftAndDiffusersStandsBesideTheTensors) {
  const TemporaryFolder folder;
  const auto tensors = under("base_model.model.", layer_of("blocks.0.self_attn.q", 4));
  const auto scale = [&](const std::string& name) {
    return LoraFile::open(folder / name).updates[0].scale;
  };
  save_safetensors(folder / "adapter_model.safetensors", tensors);
  save_safetensors(folder / "other.safetensors", tensors);
  EXPECT_EQ(scale("adapter_model.safetensors"), 1);
  write_bytes(folder / "adapter_config.json", R"({"r": 4, "lora_alpha": 8, "alpha_pattern": {}})");
  EXPECT_EQ(scale("adapter_model.safetensors"), 2);
  EXPECT_EQ(scale("other.safetensors"), 1);
  write_bytes(folder / "adapter_config.json", R"({"lora_alpha": 8, "use_rslora": true})");
  EXPECT_EQ(scale("adapter_model.safetensors"), 4);
  save_safetensors(folder / "diffusers.safetensors", tensors,
                   {{"lora_adapter_metadata", R"({"transformer.lora_alpha": 2})"}});
  EXPECT_EQ(scale("diffusers.safetensors"), 0.5);
  for (const auto* damaged : {"{", "[1]", R"({"lora_alpha": "x"})", R"({"lora_alpha": null})",
                              R"({"lora_alpha": 1, "alpha_pattern": {"q": 2}})"}) {
    write_bytes(folder / "adapter_config.json", damaged);
    EXPECT_THAT(refused_with([&] { scale("adapter_model.safetensors"); }),
                HasSubstr("adapter_config.json"))
        << damaged;
  }
}

TEST(LoraAlpha, OfZeroIsAWarningSinceNothingChanges) {
  auto tensors = joined(layer_of("blocks.0.self_attn.q", 2), layer_of("blocks.0.self_attn.k", 4));
  tensors.emplace_back("blocks.0.self_attn.k.alpha", at::zeros({}));
  const auto file = LoraFile::parse(tensors, "l");
  EXPECT_EQ(file.updates[0].scale, 0);
  EXPECT_THAT(file.warning(), AllOf(HasSubstr("1 of 2 layers have alpha 0"),
                                    HasSubstr("blocks.0.self_attn.k.weight")));
}

TEST(LoraAlpha, ThatIsNoNumberOrStandsAloneIsRefused) {
  const auto refusal = [](const at::Tensor& alpha, const std::string& layer) {
    const auto tensors = joined(layer_of("blocks.0.self_attn.q", 2), {{layer + ".alpha", alpha}});
    return refused_with([&] { LoraFile::parse(tensors, "l.st"); });
  };
  const std::string q = "blocks.0.self_attn.q";
  EXPECT_THAT(refusal(at::full({}, std::nan("")), q), HasSubstr("q.alpha is no number"));
  EXPECT_THAT(refusal(at::full({}, INFINITY), q), HasSubstr("q.alpha is no number"));
  EXPECT_THAT(refusal(at::ones({2}), q), HasSubstr("has 2 values, not one"));
  EXPECT_THAT(refusal(at::ones({}), "blocks.1.self_attn.q"),
              HasSubstr("has an alpha, but neither"));
}

TEST(LoraFile, WhatIsNoSumOfTwoMatricesIsNamed) {
  const std::pair<const char*, const char*> kOthers[] = {
      {".dora_scale", "DoRA"},        {".lora_magnitude_vector", "DoRA"},
      {".hada_w1_a", "LoHa"},         {".lokr_w1", "LoKr"},
      {".oft_blocks", "OFT"},         {".lora_mid.weight", "middle matrix"},
      {".lora_B.bias", "with biases"}};
  for (const auto& [ending, scheme] : kOthers) {
    const auto tensors =
        joined(layer_of("blocks.0.self_attn.q", 2),
               {{std::string("blocks.0.self_attn.q") + ending, at::ones({32, 1})}});
    EXPECT_THAT(refused_with([&] { LoraFile::parse(tensors, "l.st"); }),
                AllOf(HasSubstr(scheme), HasSubstr(ending), HasSubstr("take a plain LoRA")));
  }
}

TEST(LoraFile, DamagedMatricesAreRefusedNotDividedBy) {
  const auto refusal = [](const at::Tensor& a, const at::Tensor& b) {
    return refused_with([&] {
      LoraFile::parse(
          {{"blocks.0.self_attn.q.lora_A.weight", a}, {"blocks.0.self_attn.q.lora_B.weight", b}},
          "l.st");
    });
  };
  EXPECT_THAT(refusal(at::zeros({0, 32}), at::zeros({32, 0})), HasSubstr("are empty"));
  EXPECT_THAT(refusal(at::zeros({2, 0}), at::zeros({32, 2})), HasSubstr("are empty"));
  EXPECT_THAT(refusal(at::zeros({2}), at::zeros({32, 2})), HasSubstr("no rank in common"));
  EXPECT_THAT(refusal(at::zeros({2, 32}), at::zeros({})), HasSubstr("no rank in common"));
  EXPECT_THAT(refusal(at::zeros({2, 32}, at::kInt), at::zeros({32, 2})), HasSubstr("real numbers"));
}

TEST(LoraFile, FitsAreToldBeforeAnythingIsMerged) {
  const auto dit = testing::two_blocks(4);
  auto tensors = joined(layer_of("blocks.0.self_attn.q", 2), layer_of("blocks.5.self_attn.q", 2));
  tensors = joined(tensors, {{"blocks.1.ffn.0.lora_A.weight", at::ones({2, 32})},
                             {"blocks.1.ffn.0.lora_B.weight", at::ones({32, 2})},
                             {"blocks.1.ffn.2.lora_A.weight", at::ones({2, 32})},
                             {"blocks.1.ffn.2.lora_B.weight", at::ones({32, 2})},
                             {"blocks.1.norm3.diff", at::ones({31})}});
  const auto report = match_lora(dit->parameters(), LoraFile::parse(tensors, "l"));
  EXPECT_THAT(report.loaded, ::testing::ElementsAre("blocks.0.self_attn.q.weight"));
  EXPECT_THAT(report.unexpected, ::testing::ElementsAre("blocks.5.self_attn.q.weight"));
  EXPECT_THAT(report.mismatched,
              ::testing::ElementsAre(
                  "blocks.1.ffn.0.weight: model [64, 32], adapter A [2, 32] and B [32, 2]",
                  "blocks.1.ffn.2.weight: model [32, 64], adapter A [2, 32] and B [32, 2]",
                  "blocks.1.norm3.weight: model [32], adapter a difference of [31]"));
}

TEST(LoraChoice, IsAFileOrAFileAndAFiniteStrength) {
  const TemporaryFolder folder;
  save_safetensors(folder / "l.safetensors", {{"a", at::ones({1})}});
  save_safetensors(folder / "a=2.safetensors", {{"a", at::ones({1})}});
  const auto refusal = [&](const std::string& text) -> std::string {
    try {
      lora_choice(text, "--lora", folder.path());
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(lora_choice(folder / "l.safetensors", "--lora").strength, 1);
  EXPECT_EQ(lora_choice(folder / "l.safetensors=0.25", "--lora").strength, 0.25);
  EXPECT_EQ(lora_choice(folder / "l.safetensors=-1e-1", "--lora").strength, -0.1);
  EXPECT_EQ(lora_choice("l.safetensors=2", "--lora", folder.path()).path, folder / "l.safetensors");
  EXPECT_EQ(lora_choice("a=2.safetensors", "--lora", folder.path()).strength, 1);
  EXPECT_EQ(lora_choice("a=2.safetensors=3", "--lora", folder.path()).strength, 3);
  for (const auto* strength : {"", "x", "0.5x", "nan", "inf", "1e999"}) {
    EXPECT_THAT(
        refusal(cat("l.safetensors=", strength)),
        HasSubstr(cat("--lora l.safetensors=", strength, ": '", strength, "' is no strength")));
  }
  EXPECT_THAT(refusal("none.safetensors"), HasSubstr("--lora none.safetensors: is not there"));
  EXPECT_THAT(refusal("none.safetensors=0.5"), HasSubstr("none.safetensors is not there"));
}

}  // namespace
}  // namespace svi
