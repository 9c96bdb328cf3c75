#pragma once

#include <ATen/core/Tensor.h>

#include <array>
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

/// The same for tokens anywhere: positions [3, L], frame, row and column of each, which may be
/// fractional or negative; or [3, L, n], of which each token gets the mean of n rotations.
SVI_EXPORT std::pair<at::Tensor, at::Tensor> wan_rope(std::int64_t head_dim,
                                                      const at::Tensor& positions);

/// Positions [3, L] fp64 of frames x rows x columns tokens (columns fastest) that each stand for
/// `step` tokens along each axis, the first of them at `first`: the middle of what each stands for,
/// first + (i + 1/2) step - 1/2. With step 1 and first 0 they are those of a latent.
SVI_EXPORT at::Tensor wan_positions(std::int64_t frames, std::int64_t rows, std::int64_t columns,
                                    const std::array<double, 3>& first = {0, 0, 0},
                                    const std::array<double, 3>& step = {1, 1, 1});

}  // namespace svi
