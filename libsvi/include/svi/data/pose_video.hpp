#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "svi/core/export.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/data/tracks.hpp"

namespace svi {

/// The frames of a pose video, such as rendered skeletons, as a film needs them: retimed to its
/// rate by their time stamps (VideoReaderOptions::fps), resized to its size alike (bicubic,
/// antialiased), as uint8 [count, 3, H, W]. Frame 0 of both is the same moment.
///
/// The file is read through once to count its frames, then stretch by stretch, so that memory does
/// not grow with its length.
class SVI_EXPORT PoseVideo final : public TrackReader {
 public:
  /// Throws IoError naming the file: missing, damaged, without video, or of another shape than the
  /// film: a pose that is distorted is another pose.
  PoseVideo(const std::string& path, const ClipShape& shape);
  ~PoseVideo() override;

  std::int64_t frames() const override;
  at::Tensor read(std::int64_t first, std::int64_t count) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Throws IoError naming the file where frames of `height` x `width` cannot be laid over frames of
/// the other size: the ratios of their sides differ by more than 5 %.
SVI_EXPORT void check_pose_shape(const std::string& path, std::int64_t height, std::int64_t width,
                                 std::int64_t film_height, std::int64_t film_width);

}  // namespace svi
