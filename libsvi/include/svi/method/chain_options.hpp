#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/model/wan/condition.hpp"

namespace svi {

inline std::vector<std::string> enum_names(ConditionLayout) { return {"video", "anchor_first"}; }

/// What fills the condition after grey frames would: see ConditionRule::zero_latents.
enum class PaddingKind { grey, zero_latents };
inline std::vector<std::string> enum_names(PaddingKind) { return {"grey", "zero_latents"}; }

/// How the last frames of a clip reach the next one.
enum class Handover {
  pixels,  // decoded, then encoded again as part of the condition video (the reference)
  latent,  // the last generated latent frames themselves: no VAE round trip
};
inline std::vector<std::string> enum_names(Handover) { return {"pixels", "latent"}; }

/// Which side of a seam loses the frames that both clips show.
enum class Stitch { drop_tail, drop_head };
inline std::vector<std::string> enum_names(Stitch) { return {"drop_tail", "drop_head"}; }

/// Which picture of a clip's condition a model with an image branch sees.
enum class ClipImage {
  first,   // the first motion frame (the reference)
  anchor,  // the anchor image
  last,    // the last motion frame, from which the clip goes on
};
inline std::vector<std::string> enum_names(ClipImage) { return {"first", "anchor", "last"}; }

/// How one clip of a chain is conditioned and joined to the film.
struct ClipPlan {
  std::int64_t motion_frames = 1;  // pixel frames carried over; for clip 0: copies of the user's
                                   // image if repeat_first, else one
  bool repeat_first = false;       // copies of the user's image for clip 0
  ConditionRule condition;         // what the model is told of motion frames and anchor
  Handover handover = Handover::pixels;     // to the next clip
  Stitch stitch = Stitch::drop_tail;        // at the seam
  ClipImage clip_image = ClipImage::first;  // what an image branch sees
};

/// How training samples imitate the clips of a film.
struct TrainingPlan {
  std::int64_t motion_frames = 1;           // pixel frames
  double motion_probability = 1;            // else the first of them alone, as in a film's clip 0
  ConditionRule condition;                  // what the model is told of them and the anchor
  bool repeat_first = false;                // that one is repeated in the place of the others
  ClipImage clip_image = ClipImage::first;  // what an image branch sees
};

/// Which prompt a clip gets.
enum class PromptOrder {
  first,   // the scene's first prompt for every clip
  stream,  // one after the other, `prompt_repeat` clips each; the last one stays
};
inline std::vector<std::string> enum_names(PromptOrder) { return {"first", "stream"}; }

/// The options of prompts that methods share.
struct PromptOptions {
  PromptOrder prompts = PromptOrder::first;
  std::int64_t prompt_repeat = 1;

  void describe(OptionVisitor& visit) {
    visit(prompts,
          {.key = "prompts",
           .help = "first: the first prompt for every clip; stream: one prompt after the other"});
    visit(prompt_repeat, {.key = "prompt_repeat",
                          .help = "clips per prompt of a stream",
                          .unit = "clips",
                          .min = 1,
                          .max = 100000});
  }

  /// Index of the prompt of a clip, of so many prompts; clip >= 0, count >= 1.
  std::int64_t prompt_of(std::int64_t clip, std::int64_t count) const {
    return prompts == PromptOrder::first ? 0 : std::min(clip / prompt_repeat, count - 1);
  }
};

/// The options every method shares that chains clips; svi_film, svi_tom and naive_chain are sets of
/// defaults for them.
struct ChainOptions : PromptOptions {
  std::int64_t motion_frames = 1;
  double motion_probability = 1.0;
  bool repeat_first = false;
  bool mask_all_motion = false;
  std::int64_t anchor_copies = 0;
  PaddingKind padding = PaddingKind::grey;
  ConditionLayout layout = ConditionLayout::video;
  Handover handover = Handover::pixels;
  Stitch stitch = Stitch::drop_tail;
  ClipImage clip_image = ClipImage::first;

  void describe(OptionVisitor& visit) {
    visit(motion_frames, {.key = "motion_frames",
                          .help = "last frames of a clip that condition the next clip",
                          .unit = "frames",
                          .min = 1,
                          .max = 1000});
    visit(motion_probability,
          {.key = "motion_probability",
           .help = "in training, probability of all motion frames; otherwise the first of them "
                   "alone, as in clip 0",
           .min = 0,
           .max = 1});
    visit(repeat_first, {.key = "repeat_first",
                         .help = "where one frame is given, in clip 0 and in training samples by "
                                 "motion_probability: motion_frames copies of it"});
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
    visit(padding, {.key = "padding",
                    .help = "what stands for frames that are not given: grey pixels, encoded "
                            "(grey), or zeros in the latent (zero_latents)"});
    visit(layout,
          {.key = "layout",
           .help = "video: the latents of motion frames, then padding; anchor_first: the anchor's "
                   "latent, the motion latents, then zeros, as in SVI 2.0 Pro; it wants stitch = "
                   "drop_head and motion_frames = temporal stride x k + 1"});
    visit(handover,
          {.key = "handover",
           .help = "form in which motion frames reach the next clip: decoded pixels or latents"});
    visit(stitch, {.key = "stitch",
                   .help = "which clip drops the frames that both clips show: the earlier "
                           "(drop_tail) or the later (drop_head)"});
    visit(clip_image, {.key = "clip_image",
                       .help = "what the image branch of a model such as Wan 2.1 sees: the first "
                               "motion frame, the anchor, or the last motion frame"});
    PromptOptions::describe(visit);
  }

  ClipPlan plan() const {  // of every clip
    return {.motion_frames = motion_frames,
            .repeat_first = repeat_first,
            .condition = condition(),
            .handover = handover,
            .stitch = stitch,
            .clip_image = clip_image};
  }

  TrainingPlan training() const {  // of training samples
    return {.motion_frames = motion_frames,
            .motion_probability = motion_probability,
            .condition = condition(),
            .repeat_first = repeat_first,
            .clip_image = clip_image};
  }

  ConditionRule condition() const {  // of clips and samples
    return {.anchor_copies = anchor_copies,
            .mask_all_motion = mask_all_motion,
            .layout = layout,
            .zero_latents = padding == PaddingKind::zero_latents};
  }
};

/// Defaults of a single shot, which svi_shot, svi_talk and svi_dance share: one motion frame, the
/// user's image as anchor in every other frame, the first prompt for every clip.
struct ShotOptions : ChainOptions {
  ShotOptions() {
    motion_frames = 1;
    anchor_copies = -1;
    prompts = PromptOrder::first;
  }
};

}  // namespace svi
