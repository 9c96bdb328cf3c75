#include "svi/tensor/levels.hpp"

#include <ATen/ATen.h>

namespace svi {

at::Tensor to_levels(const at::Tensor& values) {
  return values.round().clamp(0, 255).to(at::kByte);
}

at::Tensor levels_of_frames(const at::Tensor& frames) { return to_levels((frames + 1) * 127.5); }

at::Tensor resize_levels(const at::Tensor& levels, std::int64_t height, std::int64_t width,
                         Resampling resampling) {
  if (levels.size(2) == height && levels.size(3) == width) return levels;
  const auto values = levels.to(at::kFloat);
  constexpr bool kAlignCorners = false;
  return to_levels(resampling == Resampling::bicubic
                       ? at::_upsample_bicubic2d_aa(values, {height, width}, kAlignCorners)
                       : at::_upsample_bilinear2d_aa(values, {height, width}, kAlignCorners));
}

}  // namespace svi
