#include "vision/flow/warp.hpp"

#include <ATen/ATen.h>

namespace svi::vision {
namespace {

constexpr std::int64_t kBilinear = 0, kZeroOutside = 0, kEdgeOutside = 1;  // of grid_sampler

/// Pixels to [-1, 1].
at::Tensor to_unit_range(const at::Tensor& places, std::int64_t length) {
  return length > 1 ? places * (2 / static_cast<double>(length - 1)) - 1 : places;
}

}  // namespace

at::Tensor sampled(const at::Tensor& picture, const at::Tensor& places, Outside outside) {
  const auto grid = at::stack({to_unit_range(places.select(1, 0), picture.size(3)),
                               to_unit_range(places.select(1, 1), picture.size(2))},
                              3);  // [B, h, w, 2]
  return at::grid_sampler(picture, grid, kBilinear,
                          outside == Outside::zero ? kZeroOutside : kEdgeOutside,
                          /*align_corners=*/true);
}

at::Tensor pixel_grid(std::int64_t height, std::int64_t width, const at::TensorOptions& options) {
  const auto x = at::arange(width, options).view({1, width}).expand({height, width});
  const auto y = at::arange(height, options).view({height, 1}).expand({height, width});
  return at::stack({x, y}).unsqueeze(0);
}

at::Tensor warped(const at::Tensor& picture, const at::Tensor& flow, Outside outside) {
  return sampled(picture, pixel_grid(flow.size(2), flow.size(3), flow.options()) + flow, outside);
}

EdgePadding::EdgePadding(std::int64_t height, std::int64_t width, std::int64_t step) {
  const auto x = (step - width % step) % step, y = (step - height % step) % step;
  left = x / 2;
  right = x - left;
  top = y / 2;
  bottom = y - top;
}

at::Tensor EdgePadding::operator()(const at::Tensor& frames) const {
  if (left + right + top + bottom == 0) return frames;
  return at::replication_pad2d(frames, {left, right, top, bottom});
}

at::Tensor EdgePadding::removed(const at::Tensor& padded) const {
  return padded.narrow(-2, top, padded.size(-2) - top - bottom)
      .narrow(-1, left, padded.size(-1) - left - right);
}

}  // namespace svi::vision
