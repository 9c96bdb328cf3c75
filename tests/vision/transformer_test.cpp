#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/hashed_weights.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "vision/network_shapes.hpp"
#include "vision/transformers/clip_tower.hpp"
#include "vision/transformers/vision_transformer.hpp"

namespace svi::vision {
namespace {

using testing::append_shapes;
using testing::clip_shapes;
using testing::dino_shapes;
using ::testing::HasSubstr;
using testing::shape_manifest;
using TransformerShapes = testing::Shapes;

at::Tensor transformer_answer(const std::string& name) {
  static const auto kAnswers =
      SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/transformers.safetensors");
  return kAnswers.load(name);
}

Weights hashed_transformer(const TransformerShapes& shapes) {
  return {testing::hashed_weights(shapes), "file.pth"};
}

/// The greatest gap, relative to the greatest value that is wanted.
double transformer_gap(const at::Tensor& seen, const at::Tensor& wanted) {
  EXPECT_EQ(seen.sizes(), wanted.sizes());
  return ((seen - wanted).abs().max() / wanted.abs().max()).item<double>();
}

at::Tensor transformer_frames(std::int64_t height, std::int64_t width) {
  return testing::hashed("frames", {2, 3, height, width});
}

template <class Body>
std::string transformer_refusal(const Body& body) {
  try {
    body();
  } catch (const IoError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// The official file's shapes are taken to the last tensor. Zeros that share one element cost
/// nothing.
Weights empty_transformer(const TransformerShapes& shapes) {
  NamedTensors tensors;
  for (const auto& [name, sizes] : shapes) tensors.emplace_back(name, at::zeros({1}).expand(sizes));
  return {tensors, "official.pth"};
}

TEST(VisionTransformer, AgreesWithDinoOnAnySizeOfFrames) {
  const VisionTransformer network(hashed_transformer(dino_shapes(128, 3, 8, 5)));
  for (const auto& [height, width] : {std::pair{40, 40}, {40, 75}, {61, 33}}) {
    const auto name = cat("dino.", height, "x", width);
    EXPECT_LT(transformer_gap(network(transformer_frames(height, width)), transformer_answer(name)),
              1e-4)
        << name;
    EXPECT_LT(transformer_gap(network.before_norm(transformer_frames(height, width)),
                              transformer_answer(name + ".before")),
              1e-4);
  }
}

TEST(VisionTransformer, AgreesWithDinov2WhichScalesItsLayers) {
  auto shapes = dino_shapes(64, 2, 14, 7, true);
  shapes.push_back({"mask_token", {1, 64}});
  const VisionTransformer network(hashed_transformer(shapes));
  for (const auto& [height, width] : {std::pair{98, 98}, {56, 56}, {70, 112}}) {
    const auto name = cat("dinov2.", height, "x", width);
    EXPECT_LT(transformer_gap(network(transformer_frames(height, width)), transformer_answer(name)),
              1e-4)
        << name;
  }
}

TEST(VisionTransformer, AgreesAtTheOfficialSizes) {
  const VisionTransformer dino(hashed_transformer(shape_manifest("dino_vitb16")), 768, 12, 16);
  EXPECT_LT(transformer_gap(dino(transformer_frames(64, 112)), transformer_answer("dino.official")),
            1e-4);
  const VisionTransformer dinov2(hashed_transformer(shape_manifest("dinov2_vitb14")), 768, 12, 14);
  EXPECT_LT(
      transformer_gap(dinov2(transformer_frames(56, 70)), transformer_answer("dinov2.official")),
      1e-4);
}

TEST(VisionTransformer, DoesNotSeeWhatLiesBehindTheLastWholePatch) {
  const VisionTransformer network(hashed_transformer(dino_shapes(64, 1, 8, 3)));
  const auto wide = transformer_frames(24, 31);
  EXPECT_LT(transformer_gap(network(wide.slice(3, 0, 25)), network(wide)), 1e-6);
}

TEST(VisionTransformer, RefusesAnotherNetworkByFileAndTensor) {
  auto shapes = dino_shapes(64, 2, 8, 3);
  shapes[1].second = {1, 9, 64};
  EXPECT_THAT(transformer_refusal([&] { VisionTransformer{hashed_transformer(shapes)}; }),
              HasSubstr("file.pth: pos_embed is [1, 9, 64] instead of [1, 10, 64]"));
  shapes = dino_shapes(64, 2, 8, 3);
  shapes.push_back({"register_tokens", {1, 4, 64}});
  EXPECT_THAT(transformer_refusal([&] { VisionTransformer{hashed_transformer(shapes)}; }),
              HasSubstr("no place in the network: register_tokens"));
  EXPECT_THAT(transformer_refusal([&] {
                VisionTransformer(hashed_transformer(dino_shapes(64, 2, 8, 3)), 768, 12, 16);
              }),
              HasSubstr("64 wide, 2 deep, with patches of 8; wanted is one of 768, 12, 16"));
  EXPECT_THAT(transformer_refusal(
                  [&] { VisionTransformer{hashed_transformer(clip_shapes(64, 1, 8, 3, 32))}; }),
              HasSubstr("file.pth: cls_token is missing"));
}

TEST(ClipTower, AgreesWithTransformersWithEitherGelu) {
  const ClipTower quick(hashed_transformer(clip_shapes(128, 3, 8, 5, 96)));
  EXPECT_LT(transformer_gap(quick(transformer_frames(40, 40)), transformer_answer("clip.quick")),
            1e-4);
  const ClipTower exact(hashed_transformer(clip_shapes(64, 2, 14, 4, 32)), Gelu::exact);
  EXPECT_LT(transformer_gap(exact(transformer_frames(56, 56)), transformer_answer("clip.exact")),
            1e-4);
}

TEST(ClipTower, AgreesAtTheSizesOfVitB32) {
  const ClipTower network(hashed_transformer(shape_manifest("clip_vit_b_32")));
  EXPECT_EQ(network.side(), 224);
  EXPECT_LT(transformer_gap(network(transformer_frames(224, 224)), transformer_answer("clip.b32")),
            1e-4);
}

TEST(ClipTower, TakesEveryTensorOfVitL14) {
  const ClipTower network(empty_transformer(shape_manifest("clip_vit_l_14")));
  EXPECT_EQ(network.width(), 1024);
  EXPECT_EQ(network.depth(), 24);
  EXPECT_EQ(network.side(), 224);
  EXPECT_EQ(network.out(), 768);
}

TEST(ClipTower, PassesOverTheTowerOfTextsAndRefusesOtherFiles) {
  auto shapes = clip_shapes(64, 1, 8, 3, 32);
  append_shapes(shapes, {{"positional_embedding", {77, 64}}, {"logit_scale", {1}}});
  EXPECT_EQ(ClipTower(hashed_transformer(shapes)).out(), 32);
  EXPECT_THAT(transformer_refusal([&] { ClipTower{hashed_transformer(dino_shapes(64, 1, 8, 3))}; }),
              HasSubstr("file.pth: visual.conv1.weight is missing"));
  shapes[4].second = {65};
  EXPECT_THAT(transformer_refusal([&] { ClipTower{hashed_transformer(shapes)}; }),
              HasSubstr("file.pth: ln_pre.weight is [65] instead of [64]"));
}

}  // namespace
}  // namespace svi::vision
