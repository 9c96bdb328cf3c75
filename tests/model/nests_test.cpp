#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/made_up_files.hpp"

namespace svi {
namespace {

using ::testing::AllOf;
using testing::expect_equal;
using ::testing::HasSubstr;
using testing::joined;
using testing::read;
using testing::refused_with;
using testing::some_dit;
using testing::under;

TEST(Nests, AreTakenOffInAnyOrderAndDepth) {
  const auto dit = some_dit(3);
  for (const auto* nest :
       {"generator_ema.model._fsdp_wrapped_module._orig_mod.", "_orig_mod.module.", "module.",
        "state_dict.model.module._orig_mod.", "ema.0.", "model.ema_model.", "params_ema.",
        "_orig_mod._fsdp_wrapped_module._orig_mod.model.diffusion_model.", "pipe.dit.",
        "model_state_dict.transformer.", "generator.", "_forward_module.model."}) {
    EXPECT_EQ(weight_kind(under(nest, dit)), WeightKind::dit) << nest;
    expect_equal(to_official(under(nest, dit), WeightKind::dit, "f"), dit);
  }
  const auto nested = read(under("generator_ema.model._fsdp_wrapped_module.", dit));
  EXPECT_EQ(nested.nest, "generator_ema.model");
  EXPECT_THAT(nested.wrappers, ::testing::ElementsAre("_fsdp_wrapped_module"));
  EXPECT_THAT(nested.text(), AllOf(HasSubstr("names stand under 'generator_ema.model.'"),
                                   HasSubstr("_fsdp_wrapped_module")));
  EXPECT_EQ(read(dit).text(), "");
}

TEST(Nests, WrappersWithinNamesAreTakenOut) {
  const NamedTensors wrapped = {
      {"model._fsdp_wrapped_module.time_projection.1.weight", at::full({2, 2}, 3.0)},
      {"model._fsdp_wrapped_module.blocks.0._fsdp_wrapped_module._orig_mod.ffn.0.weight",
       at::full({2, 2}, 3.0)},
      {"model._fsdp_wrapped_module.blocks.0._checkpoint_wrapped_module.module.norm3.weight",
       at::full({2}, 3.0)}};
  const auto read_back = read(wrapped);
  expect_equal(read_back.tensors, some_dit(3));
  EXPECT_EQ(read_back.names.at(wrapped[1].first), "blocks.0.ffn.0.weight");
}

TEST(Nests, NamesOfTheOtherLibraryAreFoundWithinThem) {
  const NamedTensors theirs = {
      {"ema.module.condition_embedder.time_proj.weight", at::full({2, 2}, 3.0)},
      {"ema.module.blocks.0._orig_mod.ffn.net.0.proj.weight", at::full({2, 2}, 3.0)},
      {"ema.module.blocks.0.norm2.weight", at::full({2}, 3.0)}};
  const auto found = read(theirs);
  expect_equal(found.tensors, some_dit(3));
  EXPECT_EQ(found.nest, "ema");
  EXPECT_EQ(found.names.at("ema.module.blocks.0._orig_mod.ffn.net.0.proj.weight"),
            "blocks.0.ffn.0.weight");
}

TEST(Nests, SeveralCopiesAreRefusedWithTheChoicesAndTheSettingThatChooses) {
  const auto both = joined(under("generator.model.", some_dit(1)),
                           under("generator_ema.model._orig_mod.", some_dit(2)));
  const auto refusal = refused_with([&] { read(both); });
  EXPECT_THAT(refusal, HasSubstr("file.pth: holds 2 networks or copies of one: generator.model, "
                                 "generator_ema.model"));
  EXPECT_THAT(refusal, AllOf(HasSubstr("--set model.copy=NAME"), HasSubstr("--copy NAME")));
  expect_equal(read(both, "generator").tensors, some_dit(1));
  expect_equal(read(both, "generator_ema").tensors, some_dit(2));
  expect_equal(read(both, "generator_ema.model").tensors, some_dit(2));
  EXPECT_EQ(read(both, "generator").left_out.size(), 3u);
  EXPECT_THAT(refused_with([&] { read(both, "ema"); }),
              AllOf(HasSubstr("no copy 'ema'"), HasSubstr("generator.model, generator_ema.model")));
  EXPECT_THAT(refused_with([&] { read(both, "model"); }), HasSubstr("holds 2 networks or copies"));
}

TEST(Nests, ACopyWithoutANameIsCalledTop) {
  const auto both = joined(some_dit(1), under("ema.", some_dit(2)));
  EXPECT_THAT(refused_with([&] { read(both); }), HasSubstr("copies of one: top, ema"));
  expect_equal(read(both, "top").tensors, some_dit(1));
  expect_equal(read(both, "ema").tensors, some_dit(2));
  const auto within = joined(under("model.", some_dit(1)), under("model.ema.", some_dit(2)));
  expect_equal(read(within, "model").tensors, some_dit(1));
  expect_equal(read(within, "ema").tensors, some_dit(2));
}

TEST(Nests, AChoiceThatATransformerDoesNotOfferIsRefusedAndOneForOtherPartsIsNot) {
  EXPECT_THAT(refused_with([&] { read(under("generator.", some_dit(1)), "generator_ema"); }),
              AllOf(HasSubstr("no copy 'generator_ema'"), HasSubstr("it has: generator")));
  const NamedTensors tower = {{"visual.cls_embedding", at::zeros({1, 1, 2})}};
  EXPECT_EQ(read(tower, "generator_ema", WeightKind::clip).tensors.size(), 1u);
}

TEST(Nests, WhatTrainersKeepBesideIsLeftOutAndTold) {
  const auto file = joined(under("generator.", some_dit(1)),
                           {{"optimizer.state.0.exp_avg", at::zeros({2})},
                            {"critic.time_projection.1.weight", at::zeros({2, 2})}});
  const auto found = read(file);
  expect_equal(found.tensors, some_dit(1));
  EXPECT_THAT(found.left_out, ::testing::ElementsAre("optimizer.state.0.exp_avg",
                                                     "critic.time_projection.1.weight"));
  EXPECT_THAT(found.text(), HasSubstr("2 tensors are left out, such as optimizer.state.0.exp_avg"));
  // torch.optim.swa_utils.AveragedModel, and a checkpoint of DeepSpeed.
  const auto averaged =
      joined(under("module.", some_dit(1)),
             {{"n_averaged", at::ones({}, at::kLong)}, {"optimizer.0.exp_avg", at::zeros({2})}});
  expect_equal(read(averaged).tensors, some_dit(1));
}

TEST(Nests, AFileOfSeveralNetworksIsReadForTheOneThatIsWanted) {
  const auto all =
      joined(joined(under("model.diffusion_model.", some_dit(1)),
                    {{"vae.decoder.conv1.weight", at::full({1}, 5.0)}}),
             {{"text_encoders.umt5xxl.encoder.final_layer_norm.weight", at::full({1}, 6.0)}});
  expect_equal(read(all).tensors, some_dit(1));
  expect_equal(read(all, {}, WeightKind::vae).tensors,
               {{"decoder.conv1.weight", at::full({1}, 5.0)}});
  expect_equal(read(all, {}, WeightKind::umt5).tensors, {{"norm.weight", at::full({1}, 6.0)}});
  EXPECT_THAT(refused_with([&] { read(all, {}, std::nullopt); }),
              HasSubstr("model.diffusion_model, vae, text_encoders.umt5xxl"));
  EXPECT_EQ(read(all, "vae", std::nullopt).kind, WeightKind::vae);
}

TEST(Nests, UnknownOnesAndNamesThatFallTogetherAreRefused) {
  EXPECT_THAT(refused_with([&] { read(under("controlnet.", some_dit(1))); }),
              HasSubstr("names begin with 'controlnet.'"));
  EXPECT_THAT(refused_with([&] { read(under("xgenerator.", some_dit(1))); }),
              HasSubstr("names begin with 'xgenerator.'"));
  EXPECT_THAT(
      refused_with([&] { read(joined(some_dit(1), under("module.", some_dit(2)))); }),
      HasSubstr(
          "module.time_projection.1.weight and time_projection.1.weight are the same tensor"));
  EXPECT_FALSE(weight_kind({{"xtime_projection.1.weight", at::zeros({1})}}).has_value());
}

TEST(TiedNames, EachOfTheWordTableAloneIsTheEmbedding) {
  const NamedTensors norm = {{"encoder.final_layer_norm.weight", at::ones({2})}};
  for (const auto* name :
       {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}) {
    const auto found =
        to_official(joined(norm, {{name, at::full({3, 2}, 7.0)}}), WeightKind::umt5, "f");
    expect_equal(
        found, {{"norm.weight", at::ones({2})}, {"token_embedding.weight", at::full({3, 2}, 7.0)}});
  }
}

TEST(TiedNames, CopiesOfTheWordTableMustAgree) {
  const auto rows = at::arange(400, at::kFloat).view({200, 2});
  auto other = rows.clone();
  const NamedTensors file = {{"encoder.final_layer_norm.weight", at::ones({2})},
                             {"encoder.embed_tokens.weight", other},
                             {"shared.weight", rows}};
  EXPECT_EQ(to_official(file, WeightKind::umt5, "f").size(), 2u);
  other[0][1] += 1;
  EXPECT_THAT(refused_with([&] { to_official(file, WeightKind::umt5, "f"); }),
              HasSubstr("f: shared.weight and encoder.embed_tokens.weight are one tensor"));
}

TEST(TiedNames, OtherHalvesOfWholeModelsAreLeftOut) {
  const NamedTensors t5 = {{"encoder.final_layer_norm.weight", at::ones({2})},
                           {"shared.weight", at::ones({3, 2})},
                           {"decoder.final_layer_norm.weight", at::ones({2})},
                           {"decoder.block.0.layer.0.SelfAttention.q.weight", at::ones({2, 2})},
                           {"lm_head.weight", at::ones({3, 2})}};
  const auto encoder = read(t5, {}, WeightKind::umt5);
  EXPECT_EQ(encoder.tensors.size(), 2u);
  EXPECT_EQ(encoder.left_out.size(), 3u);
  const NamedTensors clip = {{"vision_model.embeddings.class_embedding", at::ones({2})},
                             {"vision_model.embeddings.position_ids", at::ones({1, 3}, at::kLong)},
                             {"text_model.embeddings.position_ids", at::ones({1, 3}, at::kLong)},
                             {"text_model.final_layer_norm.weight", at::ones({2})},
                             {"text_projection.weight", at::ones({2, 2})},
                             {"logit_scale", at::ones({})}};
  const auto tower = read(clip, {}, WeightKind::clip);
  EXPECT_EQ(tower.tensors.size(), 1u);
  EXPECT_EQ(tower.left_out.size(), 5u);
}

}  // namespace
}  // namespace svi
