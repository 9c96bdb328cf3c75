#include <string>
#include <svi/method/chain.hpp>
#include <svi/model/condition.hpp>
#include <svi/plugin/plugin.hpp>
#include <utility>
#include <vector>

namespace {

/// UniAnimate-DiT as a chain, without error recycling: each clip begins with the last frame of the
/// one before, grey behind it, and is told its own poses; no anchor holds the film.
///
/// Source: ali-vilab/UniAnimate-DiT. The pose net is that of svi_dance.
class UniAnimate final : public svi::OptionChain {
 public:
  struct Config : svi::ChainOptions {
    Config() {
      motion_frames = 1;
      anchor_copies = 0;
      prompts = svi::PromptOrder::first;
    }
  };

  explicit UniAnimate(const Config& config) : OptionChain(config) {}

  svi::MethodNeeds needs() const override {
    return {.no_before = true, .parts = {std::string(svi::part::kPose)}};
  }
  std::vector<std::pair<std::string, std::string>> film_settings() const override {
    return {{"film.fps", "25"},
            {"guidance.type", "cfg"},
            {"guidance.scale", "2"},
            {"extension.dance.type", "svi_dance"}};
  }
};

}  // namespace

SVI_PLUGIN("unianimate", "0.1.0", registrar) {
  registrar.add<svi::Method, UniAnimate>(
      "unianimate", "UniAnimate-DiT as a chain: the last frame, no anchor, its own poses");
}
