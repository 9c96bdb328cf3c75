#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "vbench/consistency_frames.hpp"
#include "vision/hashed_frame.hpp"
#include "vision/preprocess.hpp"
#include "vision/transformers/clip_tokenizer.hpp"
#include "vision/transformers/viclip.hpp"

namespace svi {
namespace {

using Frames = std::vector<std::int64_t>;

TEST(MiddleFrames, AreThoseOfVBench) {  // by its get_frame_indices(8, N, "middle")
  EXPECT_EQ(vbench::middle_frames(120, 8), (Frames{7, 22, 37, 52, 67, 82, 97, 112}));
  EXPECT_EQ(vbench::middle_frames(81, 8), (Frames{4, 14, 24, 34, 44, 54, 64, 75}));
  EXPECT_EQ(vbench::middle_frames(8, 8), (Frames{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(vbench::middle_frames(3, 8), (Frames{0, 1, 2, 2, 2, 2, 2, 2}));
  EXPECT_EQ(vbench::middle_frames(0, 8), Frames{});
}

const std::string kPrompt = "A cat plays with a ball of wool.";
const std::string kTable = SVI_SOURCE_DIR "/tests/data/vision/clip_table.txt";

class OverallConsistencyTest : public PluginMetrics {
 protected:
  OverallConsistencyTest() : PluginMetrics(PLUGIN_FILE) {
    save_safetensors(folder_ / "viclip.safetensors", weights_);
  }

  std::unique_ptr<Metric> ready(const std::string& options,
                                const std::string& name = "overall_consistency") {
    return PluginMetrics::ready(
        name, cat("file = ", folder_ / "viclip.safetensors", "\ntable = ", kTable, "\n", options));
  }

  /// Frames of a film as the network reads them, against a text.
  double plain(const at::Tensor& film, const Frames& frames, const std::string& prompt) const {
    const vision::Viclip network(vision::Weights(weights_, "viclip"));
    std::vector<at::Tensor> prepared;
    for (const auto t : frames) {
      const auto levels = (film.select(1, t) * 255).round().to(at::kByte);
      const auto small =
          vision::resized_short(levels, 42, {vision::Filter::bicubic, /*antialias=*/false});
      prepared.push_back(
          vision::normalised(vision::center_crop(small, 42).to(at::kFloat) / 255, vision::kClip));
    }
    const auto ids = vision::ClipTokenizer(kTable).framed(prompt, 32);
    return network.video(at::stack(prepared)).dot(network.text(ids)).item<double>();
  }

  at::Tensor film(std::int64_t length) const {
    std::vector<at::Tensor> frames;
    for (std::int64_t t = 0; t < length; ++t)
      frames.push_back(testing::hashed_frame(cat("film.", t), 50, 70));
    return at::stack(frames, 1);
  }

  NamedTensors weights_ = testing::hashed_weights(testing::tensor_list("viclip_small_tensors.tsv"));
};

TEST_F(OverallConsistencyTest, ComparesTheMiddleFramesOfAFilmWithItsPrompt) {
  const auto shown = film(19);
  const auto wanted = plain(shown, vbench::middle_frames(19, 8), kPrompt);
  const auto metric = ready("");
  for (const std::int64_t length : {4, 7, 19}) {
    const auto seen = measure(*metric, shown, length, {}, kPrompt);
    EXPECT_NEAR(seen.films.at("overall_consistency").at(0), wanted, 1e-6);
  }
  EXPECT_EQ(measure(*metric, shown, 19).films.count("overall_consistency"), 0u);  // no prompt
}

TEST_F(OverallConsistencyTest, ComparesEachClipWithItsOwnPrompt) {
  const auto shown = film(15);
  const auto seen = measure(*ready("of = clip\n"), shown, 9, {}, kPrompt);
  const auto& clips = seen.clips.at("overall_consistency");
  ASSERT_EQ(clips.size(), 2u);
  EXPECT_NEAR(clips[0], plain(shown, vbench::middle_frames(9, 8), kPrompt), 1e-6);
  EXPECT_NEAR(clips[1], plain(shown.narrow(1, 9, 6), vbench::middle_frames(6, 8), kPrompt), 1e-6);
  EXPECT_NEAR(seen.films.at("overall_consistency").at(0), (clips[0] + clips[1]) / 2, 1e-12);
}

TEST_F(OverallConsistencyTest, OfALongFilmIsTheMeanOverItsClips) {
  const auto shown = film(20);  // at 8 frames a second: clips from frames 0, 8 and 12 on
  const auto metric = ready("seconds = 1\n", "long_overall_consistency");
  double wanted = 0;
  for (const std::int64_t first : {0, 8, 12})
    wanted += plain(shown.narrow(1, first, 8), vbench::middle_frames(8, 8), kPrompt) / 3;
  for (const std::int64_t length : {5, 20}) {
    const auto seen = measure(*metric, shown, length, {}, kPrompt);
    EXPECT_NEAR(seen.films.at("long_overall_consistency").at(0), wanted, 1e-6);
  }
  const auto brief = measure(*metric, shown.narrow(1, 0, 6), 4, {}, kPrompt);
  EXPECT_NEAR(brief.films.at("long_overall_consistency").at(0),
              plain(shown.narrow(1, 0, 6), vbench::middle_frames(6, 8), kPrompt), 1e-6);
}

TEST_F(OverallConsistencyTest, RefusesATableThatTheNetworkDoesNotKnow) {
  const auto other = testing::tensor_list("viclip_small_tensors.tsv");
  for (auto& [name, tensor] : weights_) {
    if (name == "text_encoder.token_embedding.weight") tensor = tensor.narrow(0, 0, 100).clone();
  }
  save_safetensors(folder_ / "viclip.safetensors", weights_);
  EXPECT_THROW(ready(""), IoError);
}

}  // namespace
}  // namespace svi
