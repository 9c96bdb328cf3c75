#include <ATen/ATen.h>

#include <svi/diagnose/diagnostic.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// How bright films are, clip by clip: whether a chain drifts to light or dark.
class MyComponent final : public svi::Diagnostic {
 public:
  struct Config {
    std::int64_t scenes = 4;
    std::int64_t clips = 5;

    void describe(svi::OptionVisitor& visit) {
      visit(scenes, {.key = "scenes", .help = "held-out scenes", .min = 1, .max = 1e6});
      visit(clips, {.key = "clips", .help = "clips per film", .min = 1, .max = 1e6});
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

 private:
  // Dimensions of its own, since those of the run (clip, scene) have other lengths.
  svi::DiagnosticReport do_run(const svi::DiagnosticView& view) const override {
    std::vector<svi::Scene> scenes;
    for (std::int64_t i = 0; i < config_.scenes; ++i)
      scenes.push_back(view.source.scene(view.first_scene + i, view.studio.shape));
    auto brightness = at::zeros({config_.clips, config_.scenes}, at::kDouble);
    const auto studio = svi::with_clips(view.studio, config_.clips);
    svi::roll_out(studio, scenes, [&](const svi::RolledClip& clip) {
      brightness[clip.clip].copy_(clip.frames.to(at::kDouble).mean({1, 2, 3, 4}));
      if (view.progress) view.progress(clip.clip + 1, config_.clips);
    });
    return {{},
            {{"brightness",
              "1",
              "mean of a clip's pixels, from -1, black, to 1, white",
              {"film_clip", "film"},
              brightness}}};
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::Diagnostic, MyComponent>("my_component", "how bright films are");
}
