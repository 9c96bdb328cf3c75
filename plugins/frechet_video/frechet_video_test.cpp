#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/io/video_writer.hpp"
#include "svi/tensor/random.hpp"
#include "vision/hashed_frame.hpp"
#include "vision/i3d.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

/// Rows [N, D] as the first of 400 features; the others are 0.
at::Tensor wide(const at::Tensor& rows) {
  return at::constant_pad_nd(rows.to(at::kDouble), {0, 400 - rows.size(1)}, 0);
}

double fixture(const std::string& name) {
  return SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/i3d.safetensors")
      .load(name)[0]
      .item<double>();
}

class FvdTest : public PluginMetrics {
 protected:
  FvdTest() : PluginMetrics(PLUGIN_FILE) {}

  std::unique_ptr<Metric> make(const std::string& options = "") {
    return PluginMetrics::make("fvd", options);
  }
  /// With an I3D of hashed weights.
  std::unique_ptr<Metric> ready(const std::string& options) {
    const auto path = folder_ / "i3d.safetensors";
    if (!std::filesystem::exists(path)) save_safetensors(path, hashed_tensors());
    return PluginMetrics::ready("fvd", "file = " + path + "\n" + options);
  }
  static NamedTensors hashed_tensors() {
    return testing::hashed_weights(testing::tensor_list("i3d_tensors.tsv"));
  }
};

TEST_F(FvdTest, OfKnownGaussiansIsWhatTheFormulaSays) {
  const auto metric = make("covariance = sample\n");
  // Covariances 4 and 9 on one axis, means apart by 3 on another: 1 + 9.
  const auto axis = at::tensor({1.0, -1.0, 1.0, -1.0}, at::kDouble) * std::sqrt(3.0 / 4.0);
  const auto a = wide(at::stack({axis * 2, at::zeros({4}, at::kDouble)}, 1));
  const auto b = wide(at::stack({axis * 3, at::full({4}, 3.0, at::kDouble)}, 1));
  EXPECT_NEAR(metric->of_set(0, a, b), 10, 1e-9);
  EXPECT_NEAR(metric->of_set(0, b, a), 10, 1e-9);
  // Over N, variances are 3 and 27/4.
  const double spread = std::sqrt(27.0 / 4) - std::sqrt(3.0);
  EXPECT_NEAR(make()->of_set(0, a, b), spread * spread + 9, 1e-9);
}

TEST_F(FvdTest, AgreesWithCdFvdOnItsMoments) {
  const auto a = testing::hashed("fvd.a", {40, 12}), b = testing::hashed("fvd.b", {25, 12});
  const auto metric = make();
  const double wanted = fixture("fvd.population");
  EXPECT_NEAR(metric->of_set(0, wide(a), wide(b * 0.7 + 0.3)), wanted, 1e-5 * wanted);
  EXPECT_NEAR(metric->of_set(0, wide(a), wide(a)), 0, 1e-6);
  EXPECT_TRUE(std::isnan(metric->of_set(0, wide(a.narrow(0, 0, 1)), wide(b))));
}

TEST_F(FvdTest, ShowsTheNetworkTheFramesOfItsWindowsHoweverClipsAreCut) {
  const auto metric = ready("frames = 9\nstride = 2\n");
  const auto film = testing::hashed("film", {3, 20, 24, 30}) * 0.5 + 0.5;
  const auto truth = testing::hashed("truth", {3, 20, 24, 30}) * 0.5 + 0.5;

  const auto seen = measure(*metric, film, 5, truth);
  const auto whole = measure(*metric, film, 20);

  const vision::I3d network(vision::Weights(hashed_tensors(), "i3d"));
  std::vector<at::Tensor> frames;
  for (std::int64_t t = 0; t < 17; t += 2)
    frames.push_back(vision::i3d_frame(film.select(1, t), vision::I3dFrames::cd_fvd));
  const auto wanted = network.logits(at::stack(frames, 1).unsqueeze(0));
  const auto& rows = seen.shown.at("fvd").at(0);
  ASSERT_TRUE(rows.sizes().equals({1, 400}));
  EXPECT_TRUE(at::equal(rows, whole.shown.at("fvd").at(0)));
  EXPECT_LT((rows - wanted).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(seen.truth.at("fvd").at(0).defined());
  EXPECT_FALSE(at::equal(rows, seen.truth.at("fvd").at(0)));
}

TEST_F(FvdTest, LeavesOutFilmsThatAreShorterThanAWindow) {
  const auto metric = ready("frames = 9\nstride = 2\n");
  const auto film = testing::hashed("film", {3, 16, 24, 30}) * 0.5 + 0.5;
  EXPECT_EQ(measure(*metric, film, 4, film).shown.count("fvd"), 0u);
}

TEST_F(FvdTest, KeepsFeaturesOfRealVideosForTheDistanceOfTheSet) {
  const std::filesystem::path real(folder_ / "real");
  std::filesystem::create_directory(real);
  const auto levels = ((testing::hashed("real", {26, 3, 32, 48}) * 0.5 + 0.5) * 255).to(at::kByte);
  write_video((real / "a.mp4").string(), levels.narrow(0, 0, 12));
  write_video((real / "b.mp4").string(), levels.narrow(0, 12, 9));
  write_video((real / "short.mp4").string(), levels.narrow(0, 0, 8));
  const auto options =
      cat("frames = 9\nreal = ", real.string(), "\nreal_cache = ", folder_ / "kept", "\n");

  const auto metric = ready(options);

  EXPECT_FALSE(metric->quantities().at(0).needs_truth);
  const auto seen = [&](const char* name) {
    const auto film = read_video((real / name).string()).transpose(0, 1).to(at::kFloat) / 255;
    return measure(*metric, film, 5).shown.at("fvd").at(0);
  };
  const auto same = at::cat({seen("b.mp4"), seen("a.mp4")});
  // As when the films of all ranks come together: a metric that was only made.
  const auto only_made = make("file = " + folder_ / "i3d.safetensors" + "\n" + options);
  EXPECT_NEAR(only_made->of_set(0, same, {}), 0, 1e-6);
  EXPECT_NEAR(only_made->of_set(0, same + 1, {}), 400, 1e-3);

  std::filesystem::remove(real / "b.mp4");
  try {
    only_made->of_set(0, same, {});
    FAIL() << "features of other videos were taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("real: features of these videos are not kept"));
  }
}

TEST_F(FvdTest, SaysWhatTheNumberIsOf) {
  const auto meaning = [&](const std::string& options) {
    return make(options)->quantities().at(0).meaning;
  };
  EXPECT_THAT(meaning(""), HasSubstr("from the truth in I3D's Kinetics-400 logits: 16 frames at "
                                     "stride 1, one window a film, resized to 224 x 224 as "
                                     "cd_fvd does, covariance over N; smallest_set is N"));
  EXPECT_THAT(meaning("stride = 8\nresize = common_metrics\ncovariance = sample\n"),
              HasSubstr("16 frames at stride 8, one window a film, resized to 224 x 224 as "
                        "common_metrics does, covariance over N - 1"));
}

TEST_F(FvdTest, RefusesOptionsThatDoNotFit) {
  EXPECT_THROW(make("frames = 8\n"), ConfigError);
  EXPECT_THROW(ready(cat("real = ", folder_.path().string(), "/none/*.mp4\n")), ConfigError);
}

}  // namespace
}  // namespace svi
