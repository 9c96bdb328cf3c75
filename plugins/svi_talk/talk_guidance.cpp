#include "talk_guidance.hpp"

#include <ATen/ATen.h>

#include <svi/core/check.hpp>
#include <svi/guidance/guidance.hpp>
#include <vector>

namespace {

/// A scale for the prompt and one for the sound, in three passes: told nothing, told the sound
/// alone, told both. v = v_nothing + audio_scale (v_sound - v_nothing)
/// + text_scale (v_both - v_sound).
///
/// Source: the reference's SVI-Talk (Li et al. 2025). "No sound" is what `drop` shows in training:
/// zeros in place of the features. "No text" is the negative condition's.
class TalkGuidance final : public svi::Guidance {
 public:
  struct Config {
    double text_scale = 2;
    double audio_scale = 5;

    void describe(svi::OptionVisitor& visit) {
      visit(text_scale,
            {.key = "text_scale", .help = "weight of the prompt", .min = 0, .max = 100});
      visit(audio_scale,
            {.key = "audio_scale", .help = "weight of the sound", .min = 0, .max = 100});
    }
  };

  explicit TalkGuidance(Config config) : config_(config) {}

 private:
  std::vector<svi::GuidancePass> do_passes(const svi::GuidanceStep&, const svi::Condition& positive,
                                           const svi::Condition& negative) const override {
    if (!positive.has(svi::part::kAudio)) {
      svi::raise<svi::ConfigError>(
          "[guidance] type = talk weighs the sound, but the model is told none; add the "
          "[extension.NAME] that reads it, or set [guidance] type = cfg");
    }
    SVI_CHECK(!negative.empty(), "talk guidance needs a negative condition");
    auto nothing = negative;
    nothing.set(svi::part::kAudio, at::zeros_like(negative[svi::part::kAudio]));
    return {{"nothing", nothing},
            {"sound", negative, config_.audio_scale - config_.text_scale},
            {"sound and text", positive, config_.text_scale}};
  }

  Config config_;
};

}  // namespace

void add_talk_guidance(svi::Registrar& registrar) {
  registrar.add<svi::Guidance, TalkGuidance>(
      "talk", "a scale for the prompt and one for the sound, three passes a step");
}
