#pragma once

#include "skeleton/motion.hpp"
#include "svi/data/tracks.hpp"

namespace svi::skeleton {

/// Key points as a track of drawn skeletons, uint8 [count, 3, H, W], drawn as they are asked for.
/// Frame k of the film shows the latest pose that is not after it: pose floor(k rate / fps).
class SkeletonTrack final : public TrackReader {
 public:
  /// Poses come at `rate` per second, frames at `fps`; rate 0: one pose for each frame.
  SkeletonTrack(Motion motion, double rate, double fps, std::int64_t height, std::int64_t width);

  std::int64_t frames() const override { return frames_; }
  at::Tensor read(std::int64_t first, std::int64_t count) const override;

 private:
  std::int64_t pose_of(std::int64_t frame) const;

  Motion motion_;
  double poses_per_frame_ = 1;
  std::int64_t height_, width_, frames_ = 0;
};

}  // namespace svi::skeleton
