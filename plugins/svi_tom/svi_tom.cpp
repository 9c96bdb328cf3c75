#include <svi/method/chain.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

/// SVI-Tom: a cartoon told by a long stream of prompts. One motion frame and nothing else, so that
/// every prompt may change the scene.
///
/// Source: Li et al. 2025 (arXiv 2510.09212); the reference's test_svi.py with svi-tom.
struct SviTom {
  static void set(svi::ChainOptions& options) {
    options.motion_frames = 1;
    options.anchor_copies = 0;
    options.prompts = svi::PromptOrder::stream;
  }
};

}  // namespace

SVI_PLUGIN("svi_tom", "0.1.0", registrar) {
  registrar.add<svi::Method, svi::ChainOf<SviTom>>(
      "svi_tom", "SVI-Tom: one motion frame, grey padding, a stream of prompts");
}
