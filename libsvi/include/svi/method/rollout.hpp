#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "svi/method/film.hpp"
#include "svi/method/studio.hpp"

namespace svi {

/// What the model of a studio reads of the scenes' tracks, frames first .. first + count - 1 of
/// their films: parts [B, count, ...]. Throws ConfigError naming a scene whose track is missing or
/// too short.
SVI_EXPORT Condition track_parts(const Studio& studio, const std::vector<Scene>& scenes,
                                 std::int64_t first, std::int64_t count);

/// The script of held-out scenes: their own prompts, in the method's order, and noise that is a
/// function of seed, scene and clip.
class SVI_EXPORT SceneScript final : public Script {
 public:
  /// Borrows both.
  SceneScript(const Studio& studio, const std::vector<Scene>& scenes)
      : studio_(studio), scenes_(scenes) {}

  std::vector<std::string> prompts(std::int64_t clip) const override;
  at::Tensor noise(std::int64_t clip, const std::vector<std::int64_t>& sizes) const override;
  Condition tracks(std::int64_t first, std::int64_t count) const override {
    return track_parts(studio_, scenes_, first, count);
  }

 private:
  const Studio& studio_;
  const std::vector<Scene>& scenes_;
};

/// One finished clip of a batch of films.
struct RolledClip {
  std::int64_t clip = 0;         // index in the film, from 0
  std::int64_t first_frame = 0;  // index in the film of frames[..., 0, ..]
  at::Tensor frames;             // [B, 3, T', H, W]  fp32 in [-1, 1]: what the film shows, stitched
  at::Tensor video;              // [B, 3, T, H, W]   the same before stitching: the clip by itself
  at::Tensor latent;             // [B, z, F, h, w]   as sampled, before stitching
  std::vector<std::string> prompts;  // [B]
  std::int64_t evaluations = 0;      // function evaluations of the film so far
  std::int64_t own_evaluations = 0;  // those that made this clip
};

/// Makes the films of all scenes as one batch, of as many clips as [rollout] says, in memory; calls
/// `on_clip` in the order of the film as soon as a clip's frames are final.
///
/// Where the method makes its pieces in that order, memory and time per clip do not grow with the
/// film. A film depends on its scene and the seed alone, not on the batch it is made in (up to the
/// rounding of batched kernels) and not on ranks.
SVI_EXPORT void roll_out(const Studio& studio, const std::vector<Scene>& scenes,
                         const std::function<void(const RolledClip&)>& on_clip);

}  // namespace svi
