#include <string>
#include <svi/method/chain.hpp>
#include <svi/model/condition.hpp>
#include <svi/plugin/plugin.hpp>
#include <utility>
#include <vector>

#include "figure_metric.hpp"
#include "pose_net.hpp"
#include "stick_figure.hpp"

namespace {

/// SVI-Dance: a person who moves as a pose video says, for as long as it lasts. Each clip is told
/// the poses of its own frames of the film, so that pose and picture stay together over all seams;
/// the user's image fills the padding.
///
/// Source: Li et al. 2025 (arXiv 2510.09212); the reference's test_svi_dance.py with svi-dance.
class SviDance final : public svi::OptionChain {
 public:
  using Config = svi::ShotOptions;

  explicit SviDance(const Config& config) : OptionChain(config) {}

  // A video to go on from has no poses of its own here: its frames would shift those of the film.
  svi::MethodNeeds needs() const override {
    return {.no_before = true, .parts = {std::string(svi::part::kPose)}};
  }
  // Both passes of the guidance are told the poses.
  std::vector<std::pair<std::string, std::string>> film_settings() const override {
    return {{"film.fps", "25"},
            {"guidance.type", "cfg"},
            {"guidance.scale", "2"},
            {"extension.dance.type", "svi_dance"}};
  }
};

}  // namespace

SVI_PLUGIN("svi_dance", "0.1.0", registrar) {
  registrar.add<svi::Method, SviDance>(
      "svi_dance",
      "SVI-Dance: one motion frame, the user's image as anchor, each frame is told its own pose");
  registrar.add<svi::ModelExtension, PoseNet>(
      "svi_dance", "UniAnimate-DiT's pose net, with the official tensor names");
  add_stick_figure(registrar);
  add_figure_metric(registrar);
}
