#include "vision/i3d.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hashed_frame.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace svi::vision {
namespace {

using ::testing::HasSubstr;

/// All tensors of i3d_pretrained_400.pt, hashed.
NamedTensors i3d_tensors() {
  return svi::testing::hashed_weights(svi::testing::tensor_list("i3d_tensors.tsv"));
}

at::Tensor i3d_oracle(const std::string& name) {
  return SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/i3d.safetensors").load(name);
}

double i3d_difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

TEST(VisionI3d, AgreesWithCdFvdOnOddSizesAndLogits) {
  const I3d network(Weights(i3d_tensors(), "i3d_pretrained_400.pt"));
  const auto trunk = network.trunk(svi::testing::hashed("i3d.odd", {1, 3, 11, 45, 70}));
  ASSERT_TRUE(trunk.sizes().equals({1, 1024, 2, 2, 3}));
  EXPECT_LT(i3d_difference(trunk, i3d_oracle("trunk")), 2e-5);

  const auto logits = network.logits(svi::testing::hashed("i3d.clip", {1, 3, 9, 224, 200}));
  ASSERT_TRUE(logits.sizes().equals({1, 400}));
  EXPECT_LT(i3d_difference(logits, i3d_oracle("logits")), 2e-5);
}

TEST(VisionI3d, PreparesFramesAsTheOriginalsDo) {
  const std::vector<std::pair<std::string, std::pair<int, int>>> sizes = {{"wide", {37, 61}},
                                                                          {"tall", {300, 231}}};
  for (const auto& [name, size] : sizes) {
    const auto values =
        svi::testing::hashed("i3d." + name, {3, size.first, size.second}) * 0.5 + 0.5;
    const auto frame = (values * 255).round() / 255;
    for (const auto how : {I3dFrames::cd_fvd, I3dFrames::common_metrics}) {
      const auto wanted =
          i3d_oracle(cat(enum_names(how).at(static_cast<std::size_t>(how)), ".", name));
      const auto seen = i3d_frame(frame, how);
      ASSERT_TRUE(seen.sizes().equals({3, 224, 224}));
      const auto some = seen.slice(1, 0, 224, 9).slice(2, 0, 224, 9);
      // The plain oracle finds places between pixels in fp64, ATen in fp32.
      EXPECT_LT((some - wanted).abs().max().item<double>(), 5e-5) << name;
    }
  }
}

TEST(VisionI3d, RefusesOtherFilesByTheTensorThatDoesNotFit) {
  const auto complaint = [](const NamedTensors& tensors) {
    try {
      I3d(Weights(tensors, "i3d_torchscript.pt"));
    } catch (const IoError& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  EXPECT_THAT(complaint({{"conv1.weight", at::zeros({1})}}),
              HasSubstr("i3d_torchscript.pt: Conv3d_1a_7x7.conv3d.weight is missing"));
  auto tensors = i3d_tensors();
  for (auto& [name, tensor] : tensors) {
    if (name == "logits.conv3d.weight") tensor = at::zeros({600, 1024, 1, 1, 1});
  }
  EXPECT_THAT(complaint(tensors), HasSubstr("logits.conv3d.weight is [600, 1024, 1, 1, 1]"));
}

TEST(VisionI3d, RefusesClipsThatLeaveNoPlace) {
  const I3d network(Weights(i3d_tensors(), "i3d_pretrained_400.pt"));
  EXPECT_THROW(network.logits(at::zeros({1, 3, 8, 224, 224})), Error);
  EXPECT_THROW(network.logits(at::zeros({1, 3, 16, 192, 224})), Error);
}

}  // namespace
}  // namespace svi::vision
