#include <svi/method/chain.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

/// SVI-Film: a story told by a stream of prompts. Five motion frames carry speed and direction;
/// nothing anchors the scene, so that it may change.
///
/// Source: Li et al. 2025 (arXiv 2510.09212); the reference's test_svi.py with svi-film.
struct SviFilm {
  static void set(svi::ChainOptions& options) {
    options.motion_frames = 5;
    options.motion_probability = 0.9;
    options.anchor_copies = 0;
    options.prompts = svi::PromptOrder::stream;
  }
};

}  // namespace

SVI_PLUGIN("svi_film", "0.1.0", registrar) {
  registrar.add<svi::Method, svi::ChainOf<SviFilm>>(
      "svi_film", "SVI-Film: five motion frames, grey padding, a stream of prompts");
}
