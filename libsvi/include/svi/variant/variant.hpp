#pragma once

#include <cstdint>
#include <string_view>

#include "svi/plugin/component.hpp"

namespace svi {

/// What fills the condition video after the motion frames.
struct PaddingRule {
  /// 0: mid-grey pixels; j > 0: j copies of the anchor image, then grey; -1: the anchor to the end.
  std::int64_t anchor_copies = 0;
};

/// How the last frames of a clip reach the next one.
enum class Handover {
  pixels,  // decoded, then encoded again as part of the condition video (the reference)
  latent,  // the last generated latent frames themselves: no VAE round trip
};

/// Which side of a seam loses the frames that both clips show.
enum class Stitch { drop_tail, drop_head };

/// How one clip of a chain is conditioned and joined to the film.
struct ClipPlan {
  std::int64_t motion_frames = 1;  // pixel frames carried over; for clip 0: copies of the user's
                                   // image if repeat_first, else one
  bool repeat_first = false;       // copies of the user's image for clip 0
  bool mask_all_motion = false;    // mark all motion frames as known, not only frame 0
  PaddingRule padding;             // after the motion frames
  Handover handover = Handover::pixels;  // to the next clip
  Stitch stitch = Stitch::drop_tail;     // at the seam
  std::int64_t prompt_index = 0;         // which of the scene's prompts
};

/// How training samples imitate that chain.
struct TrainingPlan {
  std::int64_t motion_frames = 1;  // pixel frames
  double motion_probability = 1;   // else one motion frame only
  bool mask_all_motion = false;    // mark all of them as known
  PaddingRule padding;             // after the motion frames
};

/// A way of making a long film out of clips: the rule for each clip's condition and seam.
///
/// A pure function of its arguments: the same on every rank.
class SVI_EXPORT Variant : public Component {
 public:
  static constexpr std::string_view kKind = "variant";
  ~Variant() override;

  /// Plan of clip `clip` (from 0) for a scene with `prompts` prompts.
  ClipPlan plan(std::int64_t clip, std::int64_t prompts) const;
  TrainingPlan training() const { return do_training(); }  // how training imitates it

 private:
  virtual ClipPlan do_plan(std::int64_t clip, std::int64_t prompts) const = 0;
  virtual TrainingPlan do_training() const = 0;
};

}  // namespace svi
