#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/variant/variant.hpp"

namespace svi {

inline std::vector<std::string> enum_names(Handover) { return {"pixels", "latent"}; }
inline std::vector<std::string> enum_names(Stitch) { return {"drop_tail", "drop_head"}; }

/// Which prompt a clip gets.
enum class PromptOrder {
  first,   // the scene's first prompt for every clip
  stream,  // one after the other, `prompt_repeat` clips each; the last one stays
};
inline std::vector<std::string> enum_names(PromptOrder) { return {"first", "stream"}; }

/// The options every clip-by-clip variant shares; a variant is a set of defaults for them and,
/// where it needs more, code of its own.
struct ChainOptions {
  std::int64_t motion_frames = 1;
  double motion_probability = 1.0;
  bool repeat_first = false;
  bool mask_all_motion = false;
  std::int64_t anchor_copies = 0;
  Handover handover = Handover::pixels;
  Stitch stitch = Stitch::drop_tail;
  PromptOrder prompts = PromptOrder::first;
  std::int64_t prompt_repeat = 1;

  void describe(OptionVisitor& visit) {
    visit(motion_frames, {.key = "motion_frames",
                          .help = "last frames of a clip that condition the next clip",
                          .unit = "frames",
                          .min = 1,
                          .max = 1000});
    visit(motion_probability,
          {.key = "motion_probability",
           .help = "in training, probability of all motion frames; otherwise one",
           .min = 0,
           .max = 1});
    visit(repeat_first,
          {.key = "repeat_first",
           .help = "clip 0 starts with motion_frames copies of the image instead of one"});
    visit(mask_all_motion,
          {.key = "mask_all_motion",
           .help = "mark every motion frame as known; the reference marks frame 0 only"});
    visit(anchor_copies,
          {.key = "anchor_copies",
           .help =
               "copies of the anchor image after the motion frames; -1: to the end; 0: none, grey",
           .unit = "frames",
           .min = -1,
           .max = 1000});
    visit(handover,
          {.key = "handover",
           .help = "form in which motion frames reach the next clip: decoded pixels or latents"});
    visit(stitch, {.key = "stitch",
                   .help = "which clip drops the frames that both clips show: the earlier "
                           "(drop_tail) or the later (drop_head)"});
    visit(prompts,
          {.key = "prompts",
           .help = "first: the first prompt for every clip; stream: one prompt after the other"});
    visit(prompt_repeat, {.key = "prompt_repeat",
                          .help = "clips per prompt of a stream",
                          .unit = "clips",
                          .min = 1,
                          .max = 100000});
  }

  ClipPlan plan(std::int64_t clip, std::int64_t prompt_count) const {  // of one clip, 0 <= clip
    const auto streamed = std::min(clip / prompt_repeat, prompt_count - 1);
    const auto prompt = prompts == PromptOrder::first ? 0 : streamed;
    return {.motion_frames = motion_frames,
            .repeat_first = repeat_first,
            .mask_all_motion = mask_all_motion,
            .padding = {anchor_copies},
            .handover = handover,
            .stitch = stitch,
            .prompt_index = prompt};
  }

  TrainingPlan training() const {  // of training samples
    return {.motion_frames = motion_frames,
            .motion_probability = motion_probability,
            .mask_all_motion = mask_all_motion,
            .padding = {anchor_copies}};
  }
};

/// A variant that is nothing but its defaults: `Defaults::set(ChainOptions&)`.
template <class Defaults>
class ChainVariant final : public Variant {
 public:
  struct Config : ChainOptions {  // The shared options, with its own defaults.
    Config() { Defaults::set(*this); }
  };

  explicit ChainVariant(Config config) : config_(std::move(config)) {}

 private:
  ClipPlan do_plan(std::int64_t clip, std::int64_t prompts) const override {
    return config_.plan(clip, prompts);
  }
  TrainingPlan do_training() const override { return config_.training(); }

  Config config_;
};

}  // namespace svi
