#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svi::vision {

/// What lies outside a picture.
enum class Outside { zero, edge };

/// The picture [B, C, H, W] between its four nearest pixels at `places` [B, 2, h, w]: x and y in
/// pixels, whole at the centres of pixels; a side of one pixel is that pixel everywhere. Gives
/// [B, C, h, w].
at::Tensor sampled(const at::Tensor& picture, const at::Tensor& places, Outside outside);

/// x and y of each pixel: [1, 2, height, width].
at::Tensor pixel_grid(std::int64_t height, std::int64_t width, const at::TensorOptions& options);

/// The picture [B, C, H, W] drawn back along a flow [B, 2, H, W] of pixels: at each pixel, what the
/// picture shows at pixel + flow.
at::Tensor warped(const at::Tensor& picture, const at::Tensor& flow, Outside outside);

/// Edges repeated until both sides of frames [B, C, H, W] are multiples of `step`: half of what is
/// missing before, rounded down, the rest behind.
struct EdgePadding {
  std::int64_t left = 0, right = 0, top = 0, bottom = 0;
  EdgePadding() = default;
  EdgePadding(std::int64_t height, std::int64_t width, std::int64_t step);
  at::Tensor operator()(const at::Tensor& frames) const;
  at::Tensor removed(const at::Tensor& padded) const;  // a view of [..., H, W]
};

}  // namespace svi::vision
