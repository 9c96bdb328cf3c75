#include "svi/data/pose_video.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {
namespace {

constexpr double kShapeTolerance = 0.05;  // sizes are rounded to multiples of a patch

}  // namespace

void check_pose_shape(const std::string& path, std::int64_t height, std::int64_t width,
                      std::int64_t film_height, std::int64_t film_width) {
  const auto ratio =
      static_cast<double>(width * film_height) / static_cast<double>(height * film_width);
  if (std::abs(std::log(ratio)) <= std::log1p(kShapeTolerance)) return;
  raise<IoError>(path, ": a pose video of ", width, "x", height, " pixels cannot be laid over ",
                 film_width, "x", film_height,
                 "; crop it to that shape, or choose a size of the video's shape");
}

struct PoseVideo::Impl {
  Impl(const std::string& path, const ClipShape& shape)
      : options{.fps = shape.fps}, reader(path, options) {}

  VideoReaderOptions options;
  VideoReader reader;
  std::int64_t height = 0, width = 0, frames = 0;
  at::Tensor kept;              // uint8 [k, 3, H, W]: what was read last
  std::int64_t kept_first = 0;  // its first frame
};

PoseVideo::PoseVideo(const std::string& path, const ClipShape& shape)
    : impl_(std::make_unique<Impl>(path, shape)) {
  impl_->height = shape.height;
  impl_->width = shape.width;
  VideoReader counter(path, impl_->options);
  while (const auto frame = counter.next()) {
    if (impl_->frames++ == 0)
      check_pose_shape(path, frame->size(1), frame->size(2), shape.height, shape.width);
  }
  if (impl_->frames == 0) raise<IoError>(path, ": has no frames");
  log_notes(counter.notes());
}

PoseVideo::~PoseVideo() = default;

std::int64_t PoseVideo::frames() const { return impl_->frames; }

at::Tensor PoseVideo::read(std::int64_t first, std::int64_t count) const {
  SVI_CHECK(first >= 0 && count >= 1 && first + count <= impl_->frames, "a pose video of ",
            impl_->frames, " frames has no ", count, " from frame ", first);
  // Clips overlap: what both show is not decoded again, which would begin at the file's start.
  std::vector<at::Tensor> parts;
  auto& kept = impl_->kept;
  const auto kept_end = impl_->kept_first + (kept.defined() ? kept.size(0) : 0);
  if (first >= impl_->kept_first && first < kept_end) {
    const auto shared = std::min(count, kept_end - first);
    parts.push_back(kept.narrow(0, first - impl_->kept_first, shared));
  }
  const auto have = parts.empty() ? 0 : parts.front().size(0);
  if (have < count) {
    parts.push_back(resize_levels(impl_->reader.read(first + have, count - have), impl_->height,
                                  impl_->width, Resampling::bicubic));
  }
  kept = at::cat(parts);
  impl_->kept_first = first;
  return kept;
}

}  // namespace svi
