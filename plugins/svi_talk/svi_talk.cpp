#include <string>
#include <svi/method/chain.hpp>
#include <svi/model/condition.hpp>
#include <svi/plugin/plugin.hpp>
#include <utility>
#include <vector>

#include "mouth_metric.hpp"
#include "talk_audio.hpp"
#include "talk_folder.hpp"
#include "talk_guidance.hpp"
#include "talking_face.hpp"

namespace {

/// SVI-Talk: a portrait that speaks for as long as its sound lasts. Each clip hears the features of
/// its own frames of the film, so that sound and picture stay in step over all seams; the user's
/// image fills the padding.
///
/// Source: Li et al. 2025 (arXiv 2510.09212); the reference's test_svi_talk.py with svi-talk.
class SviTalk final : public svi::OptionChain {
 public:
  using Config = svi::ShotOptions;

  explicit SviTalk(const Config& config) : OptionChain(config) {}

  // A video to go on from has no sound of its own here: its frames would shift the film's sound.
  svi::MethodNeeds needs() const override {
    return {.no_before = true, .parts = {std::string(svi::part::kAudio)}};
  }
  std::vector<std::pair<std::string, std::string>> film_settings() const override {
    return {{"film.fps", "25"}, {"guidance.type", "talk"}, {"extension.talk.type", "svi_talk"}};
  }
};

}  // namespace

SVI_PLUGIN("svi_talk", "0.1.0", registrar) {
  registrar.add<svi::Method, SviTalk>(
      "svi_talk",
      "SVI-Talk: one motion frame, the user's image as anchor, each frame hears its own sound");
  registrar.add<svi::ModelExtension, TalkAudio>(
      "svi_talk", "MultiTalk's audio layers, one speaker, with the official tensor names");
  add_talk_guidance(registrar);
  add_talking_face(registrar);
  add_talk_folder(registrar);
  add_mouth_metric(registrar);
}
