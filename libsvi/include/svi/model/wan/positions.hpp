#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

#include "svi/core/export.hpp"

namespace svi {

/// The time sinusoid of Wan 2.1: timestep [B], 1000 sigma -> [B, width] fp64, width / 2 cosines
/// then as many sines of timestep * 10000^(-i / (width / 2)).
SVI_EXPORT at::Tensor wan_sinusoid(const at::Tensor& timestep, std::int64_t width);

/// cos and sin of the rotary angles of Wan 2.1 for frames x rows x columns tokens (columns
/// fastest), each [L, head_dim / 2] fp32, computed in fp64. The channel pairs of a head are split
/// into time, rows and columns: the latter two take 2 (head_dim / 6) channels each (whole
/// division), time the rest.
SVI_EXPORT std::pair<at::Tensor, at::Tensor> wan_rope(std::int64_t head_dim, std::int64_t frames,
                                                      std::int64_t rows, std::int64_t columns);

}  // namespace svi
