#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "svi/core/export.hpp"

namespace svi {

/// Bands of radial_power(): 0 .. the corner of the plane of frequencies, in cycles per picture.
SVI_EXPORT std::int64_t radial_bands(std::int64_t height, std::int64_t width);

/// Power by spatial frequency: images [..., H, W], real, to fp64 [..., K] on the CPU, with
/// K = radial_bands(H, W).
///
/// Band k sums |X|² over the frequencies (f_y, f_x), in cycles per height and width, whose radius
/// rounds to k; X is the Fourier transform over H W. So an image's bands sum up to its mean square
/// (Parseval), and band 0 is the square of its mean.
SVI_EXPORT at::Tensor radial_power(const at::Tensor& images);

}  // namespace svi
