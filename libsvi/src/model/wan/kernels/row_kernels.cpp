#include "model/wan/kernels/row_kernels.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

#include "model/wan/kernels/clones.hpp"
#include "model/wan/kernels/flash_kernel.hpp"

namespace svi::wan {
namespace {

SVI_INLINE float number(float x) { return x; }
SVI_INLINE float number(Bf16Bits x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

SVI_INLINE void put(float x, float& out) { out = x; }
SVI_INLINE void put(float x, Bf16Bits& out) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  out = static_cast<Bf16Bits>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

template <class T>
SVI_INLINE void residual_norm(const ResidualRow<T>& row, std::int64_t D, float eps) {
  float* x = row.x;
  const T* __restrict y = row.y;
  const float* __restrict gate = row.gate;
  if (y != nullptr && gate != nullptr) {
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) x[j] += number(y[j]) * gate[j];
  } else if (y != nullptr) {
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) x[j] += number(y[j]);
  }
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t j = 0; j < D; ++j) total += x[j];
  const float mean = total / static_cast<float>(D);
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t j = 0; j < D; ++j) squares += (x[j] - mean) * (x[j] - mean);
  const float rstd = 1.0F / std::sqrt(squares / static_cast<float>(D) + eps);
  const float* __restrict mul = row.mul;
  const float* __restrict add = row.add;
  const float offset = row.offset;
  T* __restrict h = row.h;
#pragma omp simd
  for (std::int64_t j = 0; j < D; ++j) {
    put((x[j] - mean) * rstd * (offset + mul[j]) + add[j], h[j]);
  }
}

SVI_INLINE void residual_norm_row_body(const ResidualRow<float>& row, std::int64_t D, float eps) {
  residual_norm(row, D, eps);
}
SVI_INLINE void residual_norm_row_body(const ResidualRow<Bf16Bits>& row, std::int64_t D,
                                       float eps) {
  residual_norm(row, D, eps);
}

SVI_INLINE void widen_body(const Bf16Bits* x, std::int64_t count, float* out) {
  const Bf16Bits* __restrict from = x;
  float* __restrict to = out;
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) to[j] = number(from[j]);
}

SVI_INLINE void narrow_body(const float* x, std::int64_t count, float scale, Bf16Bits* out) {
  const float* __restrict from = x;
  Bf16Bits* __restrict to = out;
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) put(from[j] * scale, to[j]);
}

SVI_INLINE void narrow_body(const float* x, std::int64_t count, float scale, float* out) {
  const float* __restrict from = x;
  float* __restrict to = out;
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) to[j] = from[j] * scale;
}

SVI_INLINE void pack_keys_body(const float* rows, std::int64_t stride, std::int64_t head_dim,
                               float* out) {
  for (std::int64_t w = 0; w < head_dim; ++w) {
    for (std::int64_t i = 0; i < kPanelKeys; ++i) out[w * kPanelKeys + i] = rows[i * stride + w];
  }
}

SVI_INLINE void pack_keys_body(const float* rows, std::int64_t stride, std::int64_t head_dim,
                               Bf16Bits* out) {
  for (std::int64_t w = 0; w < head_dim / 2; ++w) {
    for (std::int64_t i = 0; i < kPanelKeys; ++i) {
      Bf16Bits* pair = out + 2 * (w * kPanelKeys + i);
      put(rows[i * stride + 2 * w], pair[0]);
      put(rows[i * stride + 2 * w + 1], pair[1]);
    }
  }
}

SVI_INLINE void pack_values_body(const float* rows, std::int64_t stride, std::int64_t count,
                                 std::int64_t head_dim, float* out) {
  for (std::int64_t i = 0; i < kPanelKeys; ++i) {
    for (std::int64_t j = 0; j < head_dim; ++j) {
      out[i * head_dim + j] = i < count ? rows[i * stride + j] : 0.0F;
    }
  }
}

SVI_INLINE void pack_values_body(const Bf16Bits* rows, std::int64_t stride, std::int64_t count,
                                 std::int64_t head_dim, Bf16Bits* out) {
  for (std::int64_t i = 0; i < kPanelKeys; i += 2) {
    const Bf16Bits* __restrict even = rows + i * stride;
    const Bf16Bits* __restrict odd = even + stride;
    Bf16Bits* __restrict to = out + i * head_dim;
    const bool has_even = i < count, has_odd = i + 1 < count;
    for (std::int64_t j = 0; j < head_dim; ++j) {
      to[2 * j] = has_even ? even[j] : Bf16Bits(0);
      to[2 * j + 1] = has_odd ? odd[j] : Bf16Bits(0);
    }
  }
}

}  // namespace

SVI_CLONES(void, residual_norm_row, (const ResidualRow<float>& row, std::int64_t D, float eps),
           (row, D, eps))
SVI_CLONES(void, residual_norm_row, (const ResidualRow<Bf16Bits>& row, std::int64_t D, float eps),
           (row, D, eps))
SVI_CLONES(void, widen, (const Bf16Bits* x, std::int64_t count, float* out), (x, count, out))
SVI_CLONES(void, narrow, (const float* x, std::int64_t count, float scale, Bf16Bits* out),
           (x, count, scale, out))
SVI_CLONES(void, narrow, (const float* x, std::int64_t count, float scale, float* out),
           (x, count, scale, out))
SVI_CLONES(void, pack_keys,
           (const float* rows, std::int64_t stride, std::int64_t head_dim, float* out),
           (rows, stride, head_dim, out))
SVI_CLONES(void, pack_keys,
           (const float* rows, std::int64_t stride, std::int64_t head_dim, Bf16Bits* out),
           (rows, stride, head_dim, out))
SVI_CLONES(void, pack_values,
           (const float* rows, std::int64_t stride, std::int64_t count, std::int64_t head_dim,
            float* out),
           (rows, stride, count, head_dim, out))
SVI_CLONES(void, pack_values,
           (const Bf16Bits* rows, std::int64_t stride, std::int64_t count, std::int64_t head_dim,
            Bf16Bits* out),
           (rows, stride, count, head_dim, out))

}  // namespace svi::wan
