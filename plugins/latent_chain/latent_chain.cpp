#include <svi/method/chain.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

/// The chain whose last latents go into the next clip as they are: naive_chain without decoding,
/// rounding and encoding at its seams.
///
/// Source: the hand-over of SVI 2.0 and what its users ask for against colour drift.
struct LatentChain {
  static void set(svi::ChainOptions& options) {
    options.motion_frames = 1;
    options.anchor_copies = 0;
    options.handover = svi::Handover::latent;
    options.prompts = svi::PromptOrder::stream;
  }
};

}  // namespace

SVI_PLUGIN("latent_chain", "0.1.0", registrar) {
  registrar.add<svi::Method, svi::ChainOf<LatentChain>>(
      "latent_chain", "clips chained by their last latents, without a round trip through frames");
}
