#include <svi/method/chain.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

/// The baseline: image-to-video as Wan 2.1 publishes it, each clip started from the last frame of
/// the one before.
///
/// Source: Wan 2.1's image-to-video condition (one frame, then grey), chained as users do.
struct NaiveChain {
  static void set(svi::ChainOptions& options) {
    options.motion_frames = 1;
    options.anchor_copies = 0;
    options.prompts = svi::PromptOrder::stream;
  }
};

}  // namespace

SVI_PLUGIN("naive_chain", "0.1.0", registrar) {
  registrar.add<svi::Method, svi::ChainOf<NaiveChain>>(
      "naive_chain", "Wan 2.1 image-to-video as published, chained by its last frame");
}
