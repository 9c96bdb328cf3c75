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
using testing::under;

at::Tensor eight_bits(std::initializer_list<double> values, at::IntArrayRef shape) {
  return at::tensor(at::ArrayRef<double>(values.begin(), values.size()))
      .view(shape)
      .to(at::kFloat8_e4m3fn);
}

/// A transformer whose two fp8 weights have the scales .5 and .001 under one of the spellings.
NamedTensors scaled_dit(const std::string& ending) {
  return {{"time_projection.1.weight", eight_bits({1, 2, 4, 8}, {2, 2})},
          {"time_projection.1" + ending, at::full({}, 0.5)},
          {"blocks.0.ffn.0.weight", eight_bits({1, 2, 4, 8}, {2, 2})},
          {"blocks.0.ffn.0" + ending, at::full({1}, 0.25)}};
}

TEST(ScaledWeights, EverySpellingOfTheScaleIsMultipliedOut) {
  const NamedTensors expected = {
      {"time_projection.1.weight", at::tensor({.5, 1., 2., 4.}).view({2, 2}).to(at::kBFloat16)},
      {"blocks.0.ffn.0.weight", at::tensor({.25, .5, 1., 2.}).view({2, 2}).to(at::kBFloat16)}};
  for (const auto* ending : {".scale_weight", ".weight_scale"}) {
    expect_equal(read(scaled_dit(ending)).tensors, expected);
    for (const auto* mark : {"scaled_fp8", "time_projection.1.scale_input",
                             "time_projection.1.input_scale", "blocks.0.ffn.0.comfy_quant"}) {
      const auto found = read(joined(scaled_dit(ending), {{mark, at::ones({}, at::kByte)}}));
      expect_equal(found.tensors, expected);
      EXPECT_TRUE(found.scaled);
      EXPECT_THAT(found.text(), HasSubstr("multiplied by their scales"));
    }
    // Behind a nest, with the mark at the top or behind it.
    for (const auto* mark : {"scaled_fp8", "model.diffusion_model.scaled_fp8"}) {
      expect_equal(read(joined(under("model.diffusion_model.", scaled_dit(ending)),
                               {{mark, at::zeros({0}).to(at::kFloat8_e4m3fn)}}))
                       .tensors,
                   expected);
    }
  }
}

TEST(ScaledWeights, HeadersAloneMultiplyNothingButAreChecked) {
  WeightFiles files;
  files.tensors = scaled_dit(".scale_weight");
  const auto found = read_official(files, "f", WeightKind::dit, {}, /*values=*/false);
  ASSERT_EQ(found.tensors.size(), 2u);
  for (const auto& [name, tensor] : found.tensors) {
    EXPECT_TRUE(tensor.is_meta()) << name;
    EXPECT_EQ(tensor.sizes(), at::IntArrayRef({2, 2})) << name;
  }
  files.tensors.pop_back();
  EXPECT_THAT(refused_with([&] { read_official(files, "f", WeightKind::dit, {}, false); }),
              HasSubstr("has no scale beside it"));
}

TEST(ScaledWeights, ScalesOfRowsMultiplyRowsOfMatricesAndOfKernels) {
  const auto kernel = eight_bits({1, 1, 2, 2, 4, 4, 8, 8}, {2, 2, 1, 1, 2});
  for (const auto& scale : {at::tensor({1.0F, 10.0F}), at::tensor({1.0F, 10.0F}).view({2, 1})}) {
    const NamedTensors file = {{"time_projection.1.weight", eight_bits({1, 2, 4, 8}, {2, 2})},
                               {"time_projection.1.scale_weight", scale},
                               {"patch_embedding.weight", kernel},
                               {"patch_embedding.scale_weight", scale}};
    const auto found = read(file).tensors;
    expect_equal(found, {{"time_projection.1.weight",
                          at::tensor({1., 2., 40., 80.}).view({2, 2}).to(at::kBFloat16)},
                         {"patch_embedding.weight", at::tensor({1., 1., 2., 2., 40., 40., 80., 80.})
                                                        .view({2, 2, 1, 1, 2})
                                                        .to(at::kBFloat16)}});
  }
}

TEST(ScaledWeights, AMissingScaleIsRefusedWhereAnythingSaysThatWeightsAreScaled) {
  for (const auto* ending : {".scale_weight", ".weight_scale"}) {
    auto file = scaled_dit(ending);
    file.pop_back();  // the other layer still has its scale
    EXPECT_THAT(refused_with([&] { read(file); }),
                AllOf(HasSubstr("file.pth: tensor 'blocks.0.ffn.0.weight'"),
                      HasSubstr("has no scale beside it"), HasSubstr("download it again")));
  }
  const NamedTensors bare = {{"time_projection.1.weight", eight_bits({1, 2}, {1, 2})}};
  for (const auto* mark : {"scaled_fp8", "time_projection.1.scale_input",
                           "time_projection.1.input_scale", "time_projection.1.comfy_quant"}) {
    EXPECT_THAT(refused_with([&] {
                  read(joined(bare, {{mark, at::ones({}, at::kByte)}}));
                }),
                HasSubstr("has no scale beside it"))
        << mark;
  }
  EXPECT_THAT(
      refused_with([&] {
        read(joined(under("model.diffusion_model.", bare), {{"scaled_fp8", at::zeros({0})}}));
      }),
      HasSubstr("model.diffusion_model.time_projection.1.weight"));
  WeightFiles told;
  told.tensors = bare;
  told.metadata["_quantization_metadata"] =
      R"({"layers": {"time_projection.1": {"format": "float8_e4m3fn"}}})";
  EXPECT_THAT(refused_with([&] { read_official(told, "f", WeightKind::dit); }),
              HasSubstr("has no scale beside it"));
}

TEST(ScaledWeights, TablesAndNormsOfAScaledFileArePlain) {
  const NamedTensors plain = {{"encoder.final_layer_norm.weight", eight_bits({1, 2}, {2})},
                              {"shared.weight", eight_bits({1, 2, 4, 8}, {2, 2})}};
  const auto file = joined(plain, {{"scaled_fp8", at::zeros({0})}});
  const auto found = read(file, {}, WeightKind::umt5).tensors;
  EXPECT_TRUE(at::equal(testing::find(found, "token_embedding.weight").to(at::kFloat),
                        plain[1].second.to(at::kFloat)));
}

TEST(ScaledWeights, UnscaledEightBitFilesAreReadAsTheyAre) {
  const NamedTensors bare = {{"time_projection.1.weight", eight_bits({1, 2}, {1, 2})},
                             {"time_projection.1.bias", eight_bits({1}, {1})}};
  const auto found = read(bare);
  EXPECT_EQ(found.tensors[0].second.scalar_type(), at::kFloat8_e4m3fn);
  EXPECT_FALSE(found.scaled);
}

TEST(ScaledWeights, AScaleThatCannotBeRightIsRefused) {
  const auto refusal = [](const std::string& name, const at::Tensor& scale) {
    auto file = scaled_dit(".scale_weight");
    for (auto& named : file) {
      if (named.first == name) named.second = scale;
    }
    return refused_with([&] { read(file); });
  };
  const std::string scale = "time_projection.1.scale_weight";
  EXPECT_THAT(refusal(scale, at::ones({3})), HasSubstr("neither one number nor one per row"));
  EXPECT_THAT(refusal(scale, at::ones({1, 2})), HasSubstr("neither one number nor one per row"));
  EXPECT_THAT(refusal(scale, at::ones({2, 2})), HasSubstr("neither one number nor one per row"));
  EXPECT_THAT(refusal(scale, at::full({}, std::nan(""))), HasSubstr("negative or no number"));
  EXPECT_THAT(refusal(scale, at::full({}, -1.0)), HasSubstr("negative or no number"));
  EXPECT_THAT(refusal(scale, at::ones({}, at::kInt)), HasSubstr("of whole numbers"));
  EXPECT_THAT(refusal("time_projection.1.weight", at::ones({2, 2})),
              HasSubstr("but has a scale beside it"));
  auto orphan = scaled_dit(".scale_weight");
  orphan.emplace_back("blocks.9.ffn.0.scale_weight", at::ones({}));
  EXPECT_THAT(refused_with([&] { read(orphan); }),
              HasSubstr("'blocks.9.ffn.0.weight' is missing, but its scale is there"));
  auto second = scaled_dit(".scale_weight");
  second.emplace_back("blocks.0.ffn.0.weight_scale", at::full({1}, 0.25));
  EXPECT_EQ(refused_with([&] { read(second); }), "accepted");
  second.back().second = at::full({1}, 0.5);
  EXPECT_THAT(refused_with([&] { read(second); }), HasSubstr("second scale"));
}

TEST(ScaledWeights, AScaleOfOneBesideAWiderWeightChangesNothing) {
  const NamedTensors file = {{"time_projection.1.weight", at::full({2, 2}, 3.0)},
                             {"time_projection.1.scale_weight", at::ones({})}};
  EXPECT_TRUE(at::equal(read(file).tensors[0].second, at::full({2, 2}, 3.0)));
}

TEST(ScaledWeights, WholeNumbersNeedTheirScaleAndPackedWeightsAreNamed) {
  NamedTensors file = {{"time_projection.1.weight", at::ones({2, 2}, at::kChar) * 4}};
  EXPECT_THAT(refused_with([&] { read(file); }), HasSubstr("of whole numbers"));
  file.emplace_back("time_projection.1.weight_scale", at::full({}, 0.5));
  EXPECT_TRUE(at::equal(read(file).tensors[0].second, at::full({2, 2}, 2.0).to(at::kBFloat16)));
  for (const auto* name :
       {"blocks.0.ffn.0.qweight", "blocks.0.ffn.0.weight.absmax", "blocks.0.ffn.0.SCB",
        "blocks.0.ffn.0.weight.quant_state.bitsandbytes__nf4", "blocks.0.ffn.0.weight_scale_2",
        "blocks.0.ffn.0.weight_scale_inv"}) {
    EXPECT_THAT(refused_with([&] {
                  read(joined(file, {{name, at::ones({1})}}));
                }),
                AllOf(HasSubstr(name), HasSubstr("packed in a form that svi does not read")));
  }
}

}  // namespace
}  // namespace svi
