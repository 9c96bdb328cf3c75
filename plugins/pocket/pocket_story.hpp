#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "pocket/pocket_scene.hpp"
#include "svi/core/random.hpp"

namespace svi {

/// A storyline: the same scene clip by clip, each as its own prompt tells it. From clip to clip the
/// disc turns round, or the disc or a band gets another colour; the rest goes on, and the disc
/// moves on from where it is.
///
/// Clips of `clip_frames` frames share one frame at each seam, which still shows the clip before.
class PocketStory {
 public:
  /// `reach`: of the shades of new colours, see pocket_jittered.
  PocketStory(const PocketScene& start, std::int64_t clips, std::int64_t clip_frames, double reach,
              const RandomKey& key);

  /// One for each clip.
  std::vector<std::string> prompts() const;
  /// Frames first .. first+count-1 of the film, [3, count, height, width] fp32 in [-1, 1]; behind
  /// the last clip its scene goes on.
  at::Tensor render(std::int64_t first, std::int64_t count, std::int64_t height,
                    std::int64_t width) const;

 private:
  std::int64_t step_;  // frames that a clip adds
  std::vector<PocketScene> scenes_;
};

}  // namespace svi
