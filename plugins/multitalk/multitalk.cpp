#include <string>
#include <svi/method/chain.hpp>
#include <svi/model/condition.hpp>
#include <svi/plugin/plugin.hpp>
#include <utility>
#include <vector>

namespace {

/// MultiTalk's streaming chain, without error recycling: each clip goes on from the last frames of
/// the one before, all of them marked as known, and grey behind them; no anchor holds the film.
///
/// Source: MeiGen-AI/MultiTalk, streaming mode. Audio layers and guidance are those of svi_talk.
class MultiTalk final : public svi::OptionChain {
 public:
  struct Config : svi::ChainOptions {
    Config() {
      motion_frames = 25;
      mask_all_motion = true;
      anchor_copies = 0;
      stitch = svi::Stitch::drop_head;
      prompts = svi::PromptOrder::first;
    }
  };

  explicit MultiTalk(const Config& config) : OptionChain(config) {}

  svi::MethodNeeds needs() const override {
    return {.no_before = true, .parts = {std::string(svi::part::kAudio)}};
  }
  std::vector<std::pair<std::string, std::string>> film_settings() const override {
    return {{"film.fps", "25"}, {"guidance.type", "talk"}, {"extension.talk.type", "svi_talk"}};
  }
};

}  // namespace

SVI_PLUGIN("multitalk", "0.1.0", registrar) {
  registrar.add<svi::Method, MultiTalk>(
      "multitalk", "MultiTalk's chain: 25 known motion frames, no anchor, each frame hears itself");
}
