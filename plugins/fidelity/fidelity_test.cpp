#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/video_reader.hpp"
#include "vision/hashed_frame.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

const std::string kData = SVI_SOURCE_DIR "/tests/data/";

double oracle(const std::string& name) {
  return SafetensorsFile::open(kData + "vision/fidelity.safetensors").load(name)[0].item<double>();
}

/// One frame, [3, 1, H, W] in [0, 1].
at::Tensor golden(const std::string& name) {
  return read_image(kData + "golden/images/" + name + ".png").to(at::kFloat).unsqueeze(1) / 255;
}

class FidelityTest : public PluginMetrics {
 protected:
  FidelityTest() : PluginMetrics(PLUGIN_FILE) {}

  /// LPIPS on a hashed AlexNet.
  std::unique_ptr<Metric> ready_lpips() {
    const auto path = folder_ / "alexnet.safetensors";
    NamedTensors trunk;
    for (const auto& [name, sizes] : testing::tensor_list("alexnet_tensors.tsv")) {
      if (name.starts_with("features."))
        trunk.emplace_back(name, testing::hashed_weight(name, sizes));
    }
    save_safetensors(path, trunk);
    return ready("lpips", "file = " + path + "\n", kData + "vision");
  }
};

TEST_F(FidelityTest, MsSsimAgreesWithPytorchMsSsimAndAPlainOneOnLuma) {
  const auto metric = make("ms_ssim");
  for (const std::string name : {"I03", "I06"}) {
    const auto shown = golden(name + "_dist"), truth = golden(name + "_ref");
    const auto seen = measure(*metric, shown, 1, truth);
    EXPECT_NEAR(seen.clips.at("ms_ssim").at(0), oracle("ms_ssim." + name), 1e-7) << name;
    EXPECT_NEAR(seen.clips.at("ms_ssim_y").at(0), oracle("ms_ssim_y." + name), 1e-10) << name;
    const auto cut = [](const at::Tensor& frame) { return frame.slice(2, 1).slice(3, 0, -3); };
    const auto odd = measure(*metric, cut(shown), 1, cut(truth));
    EXPECT_NEAR(odd.clips.at("ms_ssim").at(0), oracle("ms_ssim.odd." + name), 1e-7) << name;
  }
}

TEST_F(FidelityTest, MsSsimOfEqualFramesIsOneAndOfSmallOnesUndefined) {
  const auto metric = make("ms_ssim");
  const auto frames = testing::hashed("frames", {3, 2, 161, 170}) * 0.5 + 0.5;
  for (const std::string name : {"ms_ssim", "ms_ssim_y"}) {
    EXPECT_NEAR(measure(*metric, frames, 2, frames).clips.at(name).at(0), 1, 1e-12);
    const auto small = frames.narrow(2, 0, 160).contiguous();
    EXPECT_TRUE(std::isnan(measure(*metric, small, 2, small).clips.at(name).at(0)));
  }
}

TEST_F(FidelityTest, LpipsGivesEachFrameItsDistanceAndAClipTheirMean) {
  const auto metric = ready_lpips();
  const auto a = testing::hashed("lpips.a", {3, 47, 65}) * 0.5 + 0.5;
  const auto b = testing::hashed("lpips.b", {3, 47, 65}) * 0.5 + 0.5;
  const auto film = at::stack({a, b, a}, 1), truth = at::stack({b, b, b}, 1);

  const auto seen = measure(*metric, film, 2, truth);

  const double distance = oracle("lpips.alex");
  const auto& first = seen.per_frame.at("lpips").at(0);
  EXPECT_NEAR(first.at(0), distance, 1e-5 * distance);
  EXPECT_EQ(first.at(1), 0);
  EXPECT_NEAR(seen.clips.at("lpips").at(0), distance / 2, 1e-5 * distance);
  EXPECT_NEAR(seen.clips.at("lpips").at(1), distance, 1e-5 * distance);
}

TEST_F(FidelityTest, WithoutTruthNothingIsDefined) {
  const auto frames = at::zeros({3, 2, 170, 170});
  const auto seen = measure(*ready_lpips(), frames, 2);
  EXPECT_TRUE(std::isnan(seen.clips.at("lpips").at(0)));
  EXPECT_EQ(seen.per_frame.count("lpips"), 0u);
  EXPECT_TRUE(std::isnan(measure(*make("ms_ssim"), frames, 2).clips.at("ms_ssim_y").at(0)));
}

TEST_F(FidelityTest, LpipsNamesTheFilesThatItMisses) {
  const auto alex = make("lpips"), vgg = make("lpips", "net = vgg\n");
  EXPECT_EQ(alex->quantities().at(0).name, "lpips");
  EXPECT_EQ(vgg->quantities().at(0).name, "lpips_vgg");
  const auto text = [&](const Metric& metric, std::size_t i) {
    const auto need = metric.needs().at(i);
    return missing_text(need, locate(need, folder_.path()), "metric.lpips");
  };
  EXPECT_THAT(text(*alex, 0), HasSubstr("alexnet-owt-7be5be79.pth, 244408911 bytes"));
  EXPECT_THAT(text(*vgg, 0), HasSubstr("vgg16-397923af.pth, 553433881 bytes"));
  EXPECT_THAT(text(*vgg, 1), HasSubstr("LPIPS_v0.1_vgg-a78928a0.pth, 7289 bytes"));
  EXPECT_THAT(text(*alex, 1), HasSubstr("[metric.lpips] heads"));
}

}  // namespace
}  // namespace svi
