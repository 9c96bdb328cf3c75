#include <svi/method/chain.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

/// SVI-Shot: a single endless shot. The anchor fills the whole padding, so that the subject is
/// never forgotten.
///
/// Source: Li et al. 2025 (arXiv 2510.09212); the reference's test_svi.py with svi-shot.
class SviShot final : public svi::OptionChain {
 public:
  using Config = svi::ShotOptions;

  explicit SviShot(const Config& config) : OptionChain(config) {}
};

}  // namespace

SVI_PLUGIN("svi_shot", "0.1.0", registrar) {
  registrar.add<svi::Method, SviShot>(
      "svi_shot",
      "SVI-Shot: one motion frame, the user's image as anchor in every other frame, one prompt");
}
