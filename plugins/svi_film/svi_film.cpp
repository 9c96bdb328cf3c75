#include <utility>

#include <svi/plugin/plugin.hpp>
#include <svi/variant/chain_options.hpp>

namespace {

/// SVI-Film: a story told by a stream of prompts. Five motion frames carry speed and direction; nothing anchors
/// the scene, so that it may change.
///
/// Source: Li et al. 2025 (arXiv 2510.09212); the reference's test_svi.py with svi-film.
class SviFilm final : public svi::Variant {
 public:
  struct Config : svi::ChainOptions {
    Config() {
      motion_frames = 5;
      motion_probability = 0.9;
      anchor_copies = 0;
      prompts = svi::PromptOrder::stream;
    }
  };

  explicit SviFilm(Config config) : config_(std::move(config)) {}

 private:
  svi::ClipPlan do_plan(std::int64_t clip, std::int64_t prompts) const override {
    return config_.plan(clip, prompts);
  }
  svi::TrainingPlan do_training() const override { return config_.training(); }

  Config config_;
};

}  // namespace

SVI_PLUGIN("svi-film", "0.1.0", registrar) {
  registrar.add<svi::Variant, SviFilm>("svi_film", "SVI-Film: five motion frames, grey padding, a stream of prompts");
}
