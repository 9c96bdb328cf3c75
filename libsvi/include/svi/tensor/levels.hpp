#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "svi/core/export.hpp"

namespace svi {

/// How the resized pixels of a picture are made of the old ones; both average where it shrinks.
enum class Resampling { bilinear, bicubic };

/// The one rule by which real values become 8-bit levels, in stills, videos and films: the nearest
/// level, an even one where two are equally near, 0 and 255 for what lies beyond. Any shape.
SVI_EXPORT at::Tensor to_levels(const at::Tensor& values);

/// [-1, 1] -> uint8 levels: -1 is 0 and 1 is 255.
SVI_EXPORT at::Tensor levels_of_frames(const at::Tensor& frames);

/// Levels uint8 [T, C, h, w] resized to uint8 [T, C, H, W]; computed in fp32, so that the result
/// does not depend on the processor's 8-bit instructions.
SVI_EXPORT at::Tensor resize_levels(const at::Tensor& levels, std::int64_t height,
                                    std::int64_t width, Resampling resampling);

}  // namespace svi
