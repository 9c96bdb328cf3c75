#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "svi/evaluate/studio.hpp"

namespace svi {

/// One finished clip of a batch of films.
struct RolledClip {
  std::int64_t clip = 0;         // index in the film, from 0
  std::int64_t first_frame = 0;  // index in the film of frames[..., 0, ..]
  at::Tensor frames;             // [B, 3, T', H, W]  fp32 in [-1, 1]: what the film shows, stitched
  at::Tensor video;              // [B, 3, T, H, W]   the same before stitching: the clip by itself
  at::Tensor latent;             // [B, z, F, h, w]   as sampled, before stitching
  std::vector<std::string> prompts;  // [B]
};

/// Where a clip in the middle of a chain begins: frames of a film, whoever made them.
struct ClipStart {
  at::Tensor motion;                 // [B, 3, m, H, W]  fp32 in [-1, 1]: the frames handed over
  at::Tensor anchor;                 // [B, 3, H, W]     fp32 in [-1, 1]: the scenes' first images
  std::vector<std::string> prompts;  // [B]
  Condition tracks = {};             // what the model reads of the clip's tracks, [B, T, ...]
};

/// What the clips of a chain so far hand to the next one. Enough to go on with a film later.
struct ChainState {
  at::Tensor anchor;       // [B, 3, H, W]     the user's images
  at::Tensor last_frames;  // [B, 3, k, H, W]  fp32 in [-1, 1]: k >= m last frames of the clip
                           // before; undefined before clip 0
  at::Tensor last_latent;  // [B, z, F, h, w]  of the clip before, as sampled
  std::int64_t clip = 0;   // the clip that comes next
  Condition tracks = {};   // what the model reads of that clip's tracks, [B, T, ...]
};

/// Frames of a clip that the film shows.
struct ShownFrames {
  std::int64_t first = 0, count = 0;  // frames, from 0
};
/// Both clips of a seam show m frames; by the plan, one of them gives way. `first`, `last`: of the
/// film.
SVI_EXPORT ShownFrames shown_frames(const ClipPlan& plan, std::int64_t frames, bool first,
                                    bool last);

/// Pixel frames of a film of `clips` clips of T frames that overlap by m: C (T - m) + m.
SVI_EXPORT std::int64_t film_frames(std::int64_t clips, std::int64_t frames,
                                    std::int64_t motion_frames);

/// What the model of a studio reads of the scenes' tracks, frames first .. first + T - 1 of their
/// films: parts [B, T, ...]. Throws ConfigError naming a scene whose track is missing or too short.
SVI_EXPORT Condition track_parts(const Studio& studio, const std::vector<Scene>& scenes,
                                 std::int64_t first);

/// Makes long videos clip by clip: the last frames of each clip condition the next one.
///
/// Memory and time per clip do not grow with the film. A film depends on its scene and the seed
/// alone, not on the batch it is made in (up to the rounding of batched kernels) and not on ranks.
/// Models with an image branch see the first of the motion frames.
class SVI_EXPORT Rollout {
 public:
  /// Throws Error where the codec cannot make clips of that length. Borrows what the studio
  /// borrows.
  explicit Rollout(Studio studio);

  /// Rolls out all scenes as one batch; calls `on_clip` as soon as a clip's frames are final.
  void run(const std::vector<Scene>& scenes,
           const std::function<void(const RolledClip&)>& on_clip) const;

  /// One clip of a chain, by the variant's plan for `state.clip`, one prompt per film: noise [B, z,
  /// F, h, w] to the sampled latent of the same shape. Whoever decodes it advances the state.
  at::Tensor sample_clip(const ChainState& state, const std::vector<std::string>& prompts,
                         const at::Tensor& noise, const OnStep& on_step = {}) const;

  /// What the model is told of a clip that follows these frames, by the variant's plan for the
  /// clips after the first. Frames go through the codec, with latent hand-over too.
  Condition condition(const ClipStart& start) const;
  /// That clip alone: noise [B, z, F, h, w] to the sampled latent of the same shape.
  at::Tensor clip_after(const ClipStart& start, const at::Tensor& noise) const;
  /// The same for a condition made elsewhere. `condition` and `noise` on any device.
  at::Tensor sample(const Condition& condition, const at::Tensor& noise,
                    const OnStep& on_step = {}) const;
  /// What a finished clip puts into the next one's condition, [B, z, f, h, w]: its last motion
  /// frames, rounded and encoded again, or its last latent frames, as the variant's plan says.
  /// video [B, 3, T, H, W] in [-1, 1], latent [B, z, F, h, w].
  at::Tensor handed_over(const at::Tensor& video, const at::Tensor& latent) const;

 private:
  at::Tensor noise(const std::vector<Scene>& scenes, std::int64_t clip) const;
  Condition told(const at::Tensor& image, const at::Tensor& first_frame,
                 const std::vector<std::string>& prompts, const Condition& tracks) const;

  Studio studio_;
};

}  // namespace svi
