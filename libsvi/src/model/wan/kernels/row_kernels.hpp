#pragma once

#include <cstdint>

namespace svi::wan {

// Row kernels of the forward pass without gradients; numbers are fp32 or bf16 (as bits), sums fp32.
using Bf16Bits = std::uint16_t;

/// One row of `x += gate y; h = LayerNorm(x) (offset + mul) + add`, all of width D. y may be null
/// (x stays), gate may be null (1).
template <class T>
struct ResidualRow {
  float* x;
  const T* y;
  const float* gate;
  const float* mul;
  const float* add;
  float offset;
  T* h;
};
void residual_norm_row(const ResidualRow<float>& row, std::int64_t D, float eps);
void residual_norm_row(const ResidualRow<Bf16Bits>& row, std::int64_t D, float eps);

/// bf16 to fp32, and fp32 times `scale` to bf16 (nearest, ties to even) or fp32.
void widen(const Bf16Bits* x, std::int64_t count, float* out);
void narrow(const float* x, std::int64_t count, float scale, Bf16Bits* out);
void narrow(const float* x, std::int64_t count, float scale, float* out);

/// Panels of flash_kernel.hpp for one head from rows `stride` numbers apart: keys are turned to
/// columns; of values, fp32 rows stay rows and bf16 rows interleave in pairs.
void pack_keys(const float* rows, std::int64_t stride, std::int64_t head_dim, float* out);
void pack_keys(const float* rows, std::int64_t stride, std::int64_t head_dim, Bf16Bits* out);
void pack_values(const float* rows, std::int64_t stride, std::int64_t count, std::int64_t head_dim,
                 float* out);
void pack_values(const Bf16Bits* rows, std::int64_t stride, std::int64_t count,
                 std::int64_t head_dim, Bf16Bits* out);

}  // namespace svi::wan
