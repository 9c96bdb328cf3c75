#include "talk_folder.hpp"

#include <ATen/ATen.h>

#include <optional>
#include <string>
#include <svi/core/check.hpp>
#include <svi/data/video_folder.hpp>
#include <svi/model/condition.hpp>

#include "speech/hearing.hpp"
#include "speech/windows.hpp"

namespace {

/// Videos of people who speak, with the sound of each file beside its frames: the track `audio`.
/// Frames, crops and scenes are those of `video_folder`.
class TalkFolder final : public svi::ClipSource {
 public:
  struct Config : svi::VideoFolder::Config {
    std::string encoder = {};
    std::int64_t layers = 12;
    std::int64_t audio_dim = 768;
    std::int64_t window = 5;
    std::int64_t kept_mebibytes = 1024;

    Config() {
      path = "videos";
      caption = "a person is talking";
      skip_blank = false;  // frame k keeps its sound
    }

    void describe(svi::OptionVisitor& visit) {
      visit(encoder, {.key = "encoder",
                      .help = "folder or file of the speech encoder (wav2vec 2.0 base); empty: "
                              "levels of bands, with layers = 1 and audio_dim of at most 32"});
      visit(layers,
            {.key = "layers", .help = "states of the encoder in a row", .min = 1, .max = 100});
      visit(audio_dim, {.key = "audio_dim", .help = "values of a state", .min = 1, .max = 1e5});
      visit(window, {.key = "window",
                     .help = "rows that a frame hears, an odd number",
                     .unit = "frames",
                     .min = 1,
                     .max = 101});
      visit(kept_mebibytes, {.key = "kept_mebibytes",
                             .help = "memory for features of files that were heard, per rank",
                             .unit = "MiB",
                             .min = 0});
      svi::VideoFolder::Config::describe(visit);
    }
    std::string problem() const {
      if (window % 2 == 0) return svi::cat("window = ", window, " must be odd");
      return svi::VideoFolder::Config::problem();
    }
  };

  explicit TalkFolder(const Config& config)
      : window_(config.window),
        folder_(config),
        hearing_({.encoder = config.encoder,
                  .layers = config.layers,
                  .dim = config.audio_dim,
                  .silence = true,  // a pause of a person is one
                  .owner = "[data]",
                  .kept_mebibytes = config.kept_mebibytes}) {}

 private:
  /// What frames first .. first + count - 1 of a video hear.
  at::Tensor track(const std::string& file, std::int64_t first, std::optional<std::int64_t> count,
                   double fps) const {
    if (fps <= 0) {
      svi::raise<svi::ConfigError>(
          "[clip] fps is missing: sound and frames meet by it; set 25, which MultiTalk knows");
    }
    const auto heard = hearing_.hear(file, fps);
    const auto length = count.value_or(heard.rows.size(0) - first);
    const auto windows =
        svi::speech::centred_windows(svi::speech::rows_of(heard, first + length), window_);
    return windows.narrow(0, first, length);
  }

  svi::Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                             const svi::ClipShape& shape) const override {
    auto clip = folder_.training_clip(seed, draw, shape);
    clip.tracks.set(std::string(svi::part::kAudio),
                    track(clip.file, clip.first_frame, shape.frames, shape.fps));
    return clip;
  }
  std::int64_t do_scene_count() const override { return folder_.scene_count(); }
  svi::Scene do_scene(std::int64_t index, const svi::ClipShape& shape) const override {
    auto scene = folder_.scene(index, shape);
    scene.tracks.set(std::string(svi::part::kAudio), track(scene.file, 0, std::nullopt, shape.fps));
    return scene;
  }
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const svi::ClipShape& shape) const override {
    return folder_.truth(index, first, count, shape);
  }

  std::int64_t window_;
  svi::VideoFolder folder_;
  svi::speech::Hearing hearing_;
};

}  // namespace

void add_talk_folder(svi::Registrar& registrar) {
  registrar.add<svi::ClipSource, TalkFolder>(
      "talk_folder", "videos of people who speak, each frame with the features of its sound");
}
