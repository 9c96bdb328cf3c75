#include "vision/lpips.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "hashed_frame.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/video_reader.hpp"

namespace svi::vision {
namespace {

using ::testing::HasSubstr;

const std::string kLpipsData = SVI_SOURCE_DIR "/tests/data/vision/";

struct LpipsFiles {
  LpipsTrunk trunk;
  const char *name, *network, *heads;
};
constexpr LpipsFiles kAlex{LpipsTrunk::alex, "alex", "alexnet", "LPIPS_v0.1_alex-df73285e.pth"};
constexpr LpipsFiles kVgg{LpipsTrunk::vgg, "vgg", "vgg16", "LPIPS_v0.1_vgg-a78928a0.pth"};

/// All tensors of torchvision's file: the convolutions hashed, the classifier empty.
NamedTensors lpips_trunk(const LpipsFiles& files) {
  NamedTensors tensors;
  for (const auto& [name, sizes] : svi::testing::tensor_list(cat(files.network, "_tensors.tsv"))) {
    const bool used = name.starts_with("features.");
    tensors.emplace_back(
        name, used ? svi::testing::hashed_weight(name, sizes) : at::zeros({1}).expand(sizes));
  }
  return tensors;
}

Lpips lpips_on(const LpipsFiles& files) {
  return {files.trunk, Weights(lpips_trunk(files), "trunk.pth"),
          Weights::open(kLpipsData + files.heads)};
}

double lpips_of_package(const std::string& name) {
  return SafetensorsFile::open(kLpipsData + "fidelity.safetensors").load(name)[0].item<double>();
}

at::Tensor lpips_picture(const std::string& name) {
  return svi::testing::hashed(name, {3, 47, 65}) * 0.5 + 0.5;
}

TEST(VisionLpips, AgreesWithThePackageOnBothNetworksWithItsHeads) {
  const auto a = lpips_picture("lpips.a"), b = lpips_picture("lpips.b");
  for (const auto& files : {kAlex, kVgg}) {
    const auto lpips = lpips_on(files);
    const double wanted = lpips_of_package(cat("lpips.", files.name));
    EXPECT_NEAR(lpips(a, b), wanted, 1e-5 * wanted) << files.name;
    EXPECT_NEAR(lpips(b, a), wanted, 1e-5 * wanted) << files.name;
    EXPECT_EQ(lpips(a, a), 0) << files.name;
  }
}

TEST(VisionLpips, AgreesWithThePackageOnPhotographs) {
  const auto lpips = lpips_on(kAlex);
  const auto read = [](const std::string& name) {
    return read_image(SVI_SOURCE_DIR "/tests/data/golden/images/" + name + ".png").to(at::kFloat) /
           255;
  };
  for (const std::string name : {"I03", "I04", "I06"}) {
    const double wanted = lpips_of_package("lpips.alex." + name);
    EXPECT_NEAR(lpips(read(name + "_dist"), read(name + "_ref")), wanted, 2e-5 * wanted) << name;
  }
}

TEST(VisionLpips, IsUndefinedForPicturesThatLeaveNoPlace) {
  for (const auto& files : {kAlex, kVgg}) {
    const auto lpips = lpips_on(files);
    const auto side = lpips.shortest_side();
    const auto small = at::rand({3, 70, side - 1}), enough = at::rand({3, 70, side});
    EXPECT_TRUE(std::isnan(lpips(small, small.flip(1))));
    EXPECT_GT(lpips(enough, enough.flip(1)), 0);
  }
}

TEST(VisionLpips, RefusesFilesOfOtherNetworksByName) {
  const auto complaint = [](const LpipsFiles& trunk, const LpipsFiles& heads) {
    try {
      Lpips(kAlex.trunk, Weights(lpips_trunk(trunk), "trunk.pth"),
            Weights::open(kLpipsData + heads.heads));
    } catch (const IoError& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  EXPECT_THAT(complaint(kVgg, kAlex), HasSubstr("trunk.pth: features.0.weight is [64, 3, 3, 3]"));
  EXPECT_THAT(complaint(kAlex, kVgg), HasSubstr("LPIPS_v0.1_vgg-a78928a0.pth: lin1.model.1"));
}

}  // namespace
}  // namespace svi::vision
