#include <utility>

#include <svi/plugin/plugin.hpp>
#include <svi/variant/chain_options.hpp>

namespace {

/// The baseline: image-to-video as Wan 2.1 publishes it, each clip started from the last frame of the one before.
///
/// Source: Wan 2.1's image-to-video condition (one frame, then grey), chained as users do.
class NaiveChain final : public svi::Variant {
 public:
  struct Config : svi::ChainOptions {
    Config() {
      motion_frames = 1;
      anchor_copies = 0;
      prompts = svi::PromptOrder::stream;
    }
  };

  explicit NaiveChain(Config config) : config_(std::move(config)) {}

 private:
  svi::ClipPlan do_plan(std::int64_t clip, std::int64_t prompts) const override {
    return config_.plan(clip, prompts);
  }
  svi::TrainingPlan do_training() const override { return config_.training(); }

  Config config_;
};

}  // namespace

SVI_PLUGIN("naive-chain", "0.1.0", registrar) {
  registrar.add<svi::Variant, NaiveChain>("naive_chain", "Wan 2.1 image-to-video as published, chained by its last frame");
}
