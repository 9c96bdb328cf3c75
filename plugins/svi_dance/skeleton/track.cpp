#include "skeleton/track.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "svi/core/check.hpp"

namespace svi::skeleton {

SkeletonTrack::SkeletonTrack(Motion motion, double rate, double fps, std::int64_t height,
                             std::int64_t width)
    : motion_(std::move(motion)), height_(height), width_(width) {
  SVI_CHECK(!motion_.frames.empty() && rate >= 0, "a track needs poses, and a rate of them");
  if (rate > 0 && fps > 0) poses_per_frame_ = rate / fps;
  // A pose lasts until the next one: the last of N until N / rate.
  const auto poses = static_cast<double>(motion_.frames.size());
  frames_ = std::max<std::int64_t>(1, std::llround(std::ceil(poses / poses_per_frame_ - 1e-6)));
}

std::int64_t SkeletonTrack::pose_of(std::int64_t frame) const {
  const auto last = static_cast<std::int64_t>(motion_.frames.size()) - 1;
  const auto pose = std::floor(static_cast<double>(frame) * poses_per_frame_ + 1e-6);
  return std::min<std::int64_t>(last, std::llround(pose));
}

at::Tensor SkeletonTrack::read(std::int64_t first, std::int64_t count) const {
  SVI_CHECK(first >= 0 && count >= 1 && first + count <= frames_, "poses of ", frames_,
            " frames have no ", count, " from frame ", first);
  std::vector<at::Tensor> drawn;
  for (std::int64_t k = first; k < first + count; ++k) {
    const auto& person = motion_.frames[static_cast<std::size_t>(pose_of(k))];
    drawn.push_back(draw_for_film(person, height_, width_));
  }
  return at::stack(drawn);
}

}  // namespace svi::skeleton
