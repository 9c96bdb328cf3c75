#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "support/ffmpeg_program.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/measure/film_file.hpp"
#include "vision/hashed_frame.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

at::Tensor sync_fixture(const std::string& name) {
  return SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/sync.safetensors").load(name);
}

std::string_view raw_bytes(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

class SyncTest : public PluginMetrics {
 protected:
  SyncTest() : PluginMetrics(PLUGIN_FILE) {
    auto tensors = testing::hashed_weights(testing::tensor_list("syncnet_tensors.tsv"));
    for (auto& [name, tensor] : tensors) {
      if (name.starts_with("netfclip.3.")) tensor = tensor / 16;  // as make_sync_fixtures.py does
    }
    save_safetensors(folder_ / "syncnet.safetensors", tensors);
  }

  std::unique_ptr<Metric> make(const std::string& options = "") {
    return PluginMetrics::make("sync", options);
  }
  std::vector<std::unique_ptr<Metric>> ready(const std::string& options = "") {
    std::vector<std::unique_ptr<Metric>> metrics;
    metrics.push_back(
        PluginMetrics::ready("sync", "file = " + folder_ / "syncnet.safetensors" + "\n" + options));
    return metrics;
  }
  /// The film of make_sync_fixtures.py without loss, frames [T, 3, 224, 224]; with its sound.
  std::string write_film(const std::string& name, std::int64_t frames, const std::string& sound) {
    return write_levels(name,
                        ((testing::hashed("sync.film", {frames, 3, 14, 14}) * 0.5 + 0.5) * 255)
                            .round()
                            .to(at::kByte)
                            .repeat_interleave(16, 2)
                            .repeat_interleave(16, 3),
                        sound);
  }
  /// A film of levels [T, 3, 224, 224], bytes, without loss, with the sound of that fixture.
  std::string write_levels(const std::string& name, const at::Tensor& levels,
                           const std::string& sound) {
    write_file(folder_ / "frames.rgb", raw_bytes(levels.permute({0, 2, 3, 1}).contiguous()));
    const auto samples = sync_fixture("samples").narrow(0, 0, 20 * 640 + 100).contiguous();
    write_file(folder_ / "sound.raw", raw_bytes(samples));
    const auto path = folder_ / name;
    ffmpeg("-f rawvideo -pix_fmt rgb24 -s 224x224 -r 25 -i " + folder_ / "frames.rgb" +
           (sound.empty() ? "" : " -f s16le -ar 16000 -ac 1 -i " + folder_ / "sound.raw " + sound) +
           " -c:v ffv1 -pix_fmt bgr0 " + path);
    return path;
  }
  FilmScores measured(const std::string& path, std::int64_t clip_frames,
                      const std::vector<std::unique_ptr<Metric>>& metrics) {
    const FilmFileOptions options{.clip_frames = clip_frames};
    const auto film = open_film(path, "", options);
    VideoFilms films({film}, options);
    return measure_films(films, metrics, 100, 100);
  }
};

TEST_F(SyncTest, AgreesWithAWindowByWindowComputationOnAFilmWithSound) {
  const auto metrics = ready();
  const auto path = write_film("film.mkv", 22, "-c:a pcm_s16le");
  const auto wanted = sync_fixture("film");  // confidence, distance, offset
  const auto whole = measured(path, 22, metrics), parts = measured(path, 5, metrics);
  for (std::int64_t q = 0; q < 3; ++q) {
    const auto index = static_cast<std::size_t>(q);
    const double value = wanted[q].item<double>();
    EXPECT_NEAR(whole.film[index][0].item<double>(), value, 1e-4 * std::abs(value)) << q;
    EXPECT_EQ(whole.film[index][0].item<double>(), parts.film[index][0].item<double>()) << q;
    EXPECT_EQ(whole.film_features[index][0][0][0].item<double>(),
              whole.film[index][0].item<double>());
  }
}

TEST_F(SyncTest, IsUndefinedWithoutSoundOrFileOrEnoughFrames) {
  const auto metrics = ready();
  EXPECT_TRUE(
      std::isnan(measured(write_film("mute.mkv", 8, ""), 4, metrics).film[0][0].item<double>()));
  EXPECT_TRUE(std::isnan(
      measured(write_film("five.mkv", 5, "-c:a pcm_s16le"), 4, metrics).film[1][0].item<double>()));
  const auto rollout = measure(*metrics[0], at::zeros({3, 8, 32, 32}), 4);
  EXPECT_TRUE(rollout.films.empty());
  EXPECT_TRUE(rollout.shown.empty());
}

TEST_F(SyncTest, FollowsTheFacesOfAFileOfBoxes) {
  const auto path = write_film("talk.mkv", 22, "-c:a pcm_s16le");
  std::string rows = "film,frame,left,top,right,bottom\n";
  for (int t = 0; t < 22; ++t) rows += cat("talk,", t, ",60,40,160,150\n");
  write_file(folder_ / "boxes.csv", rows);
  const auto boxes = ready("faces = " + folder_ / "boxes.csv" + "\n"), frames = ready();
  const auto other = measured(path, 9, boxes).film[1][0].item<double>();
  EXPECT_TRUE(std::isfinite(other));
  EXPECT_NE(other, measured(path, 9, frames).film[1][0].item<double>());
  const auto unknown = write_film("unknown.mkv", 22, "-c:a pcm_s16le");
  EXPECT_TRUE(std::isnan(measured(unknown, 9, boxes).film[1][0].item<double>()));
}

/// Weights of S3FD that know one kind of face, a bright disc: channel 0 of the trunk carries the
/// brightness of the middle tap through all layers, channel 1 a constant, and the map of faces of
/// 64 pixels says how large the first is beside the second. All other maps see no face.
NamedTensors disc_detector() {
  constexpr float kConstant = 100;                                 // levels
  constexpr float kSteep = 40, kShare = 0.8F;                      // of the score
  constexpr std::array<float, 3> kColours = {0.25F, 0.5F, 0.25F};  // of R, G, B
  constexpr float kMean = 0.25F * 123 + 0.5F * 117 + 0.25F * 104;  // which the network subtracts
  NamedTensors weights;
  for (const auto& [name, sizes] : testing::tensor_list("s3fd_tensors.tsv")) {
    auto tensor = at::zeros(sizes);
    const bool trunk = name.starts_with("vgg.") && sizes[0] <= 512;
    if (name == "vgg.0.weight") {
      for (std::int64_t c = 0; c < 3; ++c)
        tensor[0][c][1][1] = kColours[static_cast<std::size_t>(c)];
    } else if (trunk && sizes.size() == 4) {
      tensor[0][0][1][1] = 1;
    } else if (trunk) {
      tensor[1] = kConstant;
      if (name == "vgg.0.bias") tensor[0] = kMean;
    } else if (name == "L2Norm5_3.weight") {
      tensor.fill_(1);
    } else if (name == "conf.2.weight") {
      tensor[1][0][1][1] = kSteep;
    } else if (name == "conf.2.bias") {
      tensor[1] = -kSteep * kShare;
    } else if (name.starts_with("conf.") && name.ends_with("bias")) {
      tensor[0] = 10;
    } else if (name == "loc.2.bias") {  // no edge of a crop lies where rounding decides
      tensor[0] = 1.0 / 64;
      tensor[1] = 2.0 / 64;
    }
    weights.emplace_back(name, tensor.to(at::kHalf));  // exact, and half the file
  }
  return weights;
}

/// Discs around (x, y), bright in the middle and black 64 pixels away, [3, 224, 224].
at::Tensor discs(const std::vector<std::pair<double, double>>& centres) {
  const auto places = at::arange(224, at::kDouble) + 0.5;
  auto levels = at::zeros({224, 224}, at::kDouble);
  for (const auto& [x, y] : centres) {
    const auto distance =
        ((places - x).square().view({1, 224}) + (places - y).square().view({224, 1})).sqrt();
    levels = at::maximum(levels, 255 - 4 * distance);
  }
  return levels.round().to(at::kByte).expand({3, 224, 224});
}

TEST_F(SyncTest, FindsTheFaceThatIsThereLongestAndFollowsIt) {
  constexpr std::int64_t kFilm = 22, kShort = 6;
  std::vector<at::Tensor> frames;
  std::string rows = "film,frame,left,top,right,bottom\n";
  for (std::int64_t t = 0; t < kFilm; ++t) {
    const double x = 71 + 4 * static_cast<double>(t), y = 81;
    auto faces = std::vector<std::pair<double, double>>{{x, y}};
    if (t < kShort) faces.emplace_back(81, 209);  // another, soon gone
    frames.push_back(discs(faces));
    // The detector sees half the size: cells of 16 pixels there, faces of 64, moved by a tenth of
    // that for each 1 of loc.
    const auto middle = [](double place) { return std::floor(place / 32) * 32 + 16; };
    const double cx = middle(x) + 12.8 / 64, cy = middle(y) + 25.6 / 64;
    rows += cat("talk,", t, ",", cx - 64, ",", cy - 64, ",", cx + 64, ",", cy + 64, "\n");
  }
  const auto path = write_levels("talk.mkv", at::stack(frames), "-c:a pcm_s16le");
  write_file(folder_ / "boxes.csv", rows);
  save_safetensors(folder_ / "discs.safetensors", disc_detector());
  const auto found = "faces = find\nface_scale = 0.5\ndetector = " + folder_ / "discs.safetensors" +
                     "\nface_frames = 20\n";

  const auto seen = measured(path, 22, ready(found));
  const auto told = measured(path, 22, ready("faces = " + folder_ / "boxes.csv" + "\n"));
  const auto parts = measured(path, 5, ready(found));
  const auto whole = measured(path, 22, ready());
  for (std::size_t q = 0; q < 3; ++q) {
    const auto value = seen.film[q][0].item<double>();
    EXPECT_TRUE(std::isfinite(value)) << q;
    EXPECT_EQ(value, told.film[q][0].item<double>()) << q;
    EXPECT_EQ(value, parts.film[q][0].item<double>()) << q;
  }
  EXPECT_NE(seen.film[1][0].item<double>(), whole.film[1][0].item<double>());
}

TEST_F(SyncTest, OfASetIsTheMeanOverFilms) {
  const auto metric = make();
  EXPECT_DOUBLE_EQ(metric->of_set(0, at::tensor({1.0, 4.0}, at::kDouble).view({2, 1}), {}), 2.5);
  EXPECT_TRUE(std::isnan(metric->of_set(0, at::empty({0, 1}, at::kDouble), {})));
}

TEST_F(SyncTest, NamesTheFileThatItMisses) {
  const auto need = make()->needs().at(0);
  const auto text = missing_text(need, locate(need, folder_ / "nowhere"), "metric.sync");
  EXPECT_THAT(text, HasSubstr("syncnet_v2.model"));
  EXPECT_THAT(text, HasSubstr("[metric.sync] file"));
  const auto boxes = make("faces = " + folder_ / "none.csv" + "\n")->needs().at(1);
  EXPECT_THAT(missing_text(boxes, locate(boxes, ""), "metric.sync"),
              HasSubstr("none.csv does not exist"));
}

}  // namespace
}  // namespace svi
