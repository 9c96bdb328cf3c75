#include <utility>

#include <svi/plugin/plugin.hpp>
#include <svi/variant/chain_options.hpp>

namespace {

/// SVI-Shot: a single endless shot. The anchor fills the whole padding, so that the subject is never forgotten.
///
/// Source: Li et al. 2025 (arXiv 2510.09212); the reference's test_svi.py with svi-shot.
class SviShot final : public svi::Variant {
 public:
  struct Config : svi::ChainOptions {
    Config() {
      motion_frames = 1;
      anchor_copies = -1;
      prompts = svi::PromptOrder::first;
    }
  };

  explicit SviShot(Config config) : config_(std::move(config)) {}

 private:
  svi::ClipPlan do_plan(std::int64_t clip, std::int64_t prompts) const override {
    return config_.plan(clip, prompts);
  }
  svi::TrainingPlan do_training() const override { return config_.training(); }

  Config config_;
};

}  // namespace

SVI_PLUGIN("svi-shot", "0.1.0", registrar) {
  registrar.add<svi::Variant, SviShot>("svi_shot", "SVI-Shot: one motion frame, the user's image as anchor in every other frame, one prompt");
}
