#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace svi {

/// How a stored picture is turned and mirrored to stand upright; the numbers are those of EXIF.
enum class Orientation {
  upright = 1,
  mirrored,               // left and right swapped
  upside_down,            // turned by 180 degrees
  flipped,                // top and bottom swapped
  transposed,             // rows become columns
  turn_clockwise,         // by 90 degrees
  anti_transposed,        // along the other diagonal
  turn_counterclockwise,  // by 90 degrees
};

/// 1 to 8; anything else counts as upright.
Orientation orientation_of_exif(std::int64_t value);

/// From FFmpeg's display matrix of nine numbers; nothing where it turns by no multiple of 90
/// degrees. A matrix of zeros counts as upright.
std::optional<Orientation> orientation_of_matrix(const std::int32_t* matrix);

/// True where width and height change places.
bool swaps_sides(Orientation orientation);

/// [C, H, W] as stored -> [C, H', W'] upright, contiguous.
at::Tensor upright(const at::Tensor& picture, Orientation orientation);

}  // namespace svi
