#include "orientation.hpp"

#include <ATen/ATen.h>

#include <cstdlib>

namespace svi {

Orientation orientation_of_exif(std::int64_t value) {
  return value >= 1 && value <= 8 ? static_cast<Orientation>(value) : Orientation::upright;
}

std::optional<Orientation> orientation_of_matrix(const std::int32_t* matrix) {
  // A stored pixel (x, y), y downwards, is shown at (a x + c y, b x + d y).
  const std::int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  const auto straight = std::min(std::abs(a), std::abs(d));
  const auto crossed = std::min(std::abs(b), std::abs(c));
  constexpr std::int64_t kMuch = 32;  // about 2 degrees
  if (straight == 0 && crossed == 0) return Orientation::upright;
  if (straight > kMuch * std::max(std::abs(b), std::abs(c))) {
    if (d > 0) return a > 0 ? Orientation::upright : Orientation::mirrored;
    return a > 0 ? Orientation::flipped : Orientation::upside_down;
  }
  if (crossed > kMuch * std::max(std::abs(a), std::abs(d))) {
    if (b > 0) return c > 0 ? Orientation::transposed : Orientation::turn_clockwise;
    return c > 0 ? Orientation::turn_counterclockwise : Orientation::anti_transposed;
  }
  return std::nullopt;
}

bool swaps_sides(Orientation orientation) { return orientation >= Orientation::transposed; }

at::Tensor upright(const at::Tensor& picture, Orientation orientation) {
  const auto crossed = swaps_sides(orientation) ? picture.transpose(1, 2) : picture;
  switch (orientation) {
    case Orientation::upright:
    case Orientation::transposed:
      return crossed.contiguous();
    case Orientation::mirrored:
    case Orientation::turn_clockwise:
      return crossed.flip({2});
    case Orientation::upside_down:
    case Orientation::anti_transposed:
      return crossed.flip({1, 2});
    case Orientation::flipped:
    case Orientation::turn_counterclockwise:
      return crossed.flip({1});
  }
  return crossed.contiguous();
}

}  // namespace svi
