#include "model/wan/kernels/kernels.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

#include "model/wan/kernels/clones.hpp"

namespace svi::wan {
namespace {

// e^x to about 1e-7 relative, in a form that vectorises: 2^n p(r) with r in [-ln 2 / 2, ln 2 / 2].
// Clamped to |x| <= 60, enough for a logistic function and far from denormal quotients, which cost
// a hundred cycles each.
SVI_INLINE float exp_fast(float x) {
  constexpr float kLog2e = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  x = x < -60.0F ? -60.0F : x;
  x = x > 60.0F ? 60.0F : x;
  const float shifted = x * kLog2e + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const auto exponent = (std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound))
                        << 23;
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + exponent);
}

// GELU(x) = x s(u), s the logistic function and u = 2 sqrt(2 / pi) (x + 0.044715 x^3).
constexpr float kGelu = 1.5957691216F;
constexpr float kCubic = 0.044715F;

SVI_INLINE void add_norm_row_body(const AddNormRow& row, std::int64_t D, float eps, float* mean,
                                  float* rstd) {
  const float* __restrict x = row.x;
  if (row.y != nullptr) {
    const float* __restrict y = row.y;
    float* __restrict sum = row.sum;
    if (row.gate != nullptr) {
      const float* __restrict gate = row.gate;
#pragma omp simd
      for (std::int64_t j = 0; j < D; ++j) sum[j] = x[j] + y[j] * gate[j];
    } else {
#pragma omp simd
      for (std::int64_t j = 0; j < D; ++j) sum[j] = x[j] + y[j];
    }
    x = sum;
  }
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (std::int64_t j = 0; j < D; ++j) total += x[j];
  const float m = total / static_cast<float>(D);
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t j = 0; j < D; ++j) squares += (x[j] - m) * (x[j] - m);
  const float r = 1.0F / std::sqrt(squares / static_cast<float>(D) + eps);
  const float* __restrict mul = row.mul;
  const float* __restrict add = row.add;
  const float offset = row.offset;
  float* __restrict h = row.h;
#pragma omp simd
  for (std::int64_t j = 0; j < D; ++j) h[j] = (x[j] - m) * r * (offset + mul[j]) + add[j];
  *mean = m;
  *rstd = r;
}

SVI_INLINE void add_norm_row_backward_body(const AddNormRowGrad& row, std::int64_t D, float mean,
                                           float rstd) {
  const float* __restrict x = row.sum;
  const float* __restrict mul = row.mul;
  const float* __restrict g_h = row.g_h;
  const float offset = row.offset;
  float* __restrict g_x = row.g_x;
  float first = 0, second = 0;
#pragma omp simd reduction(+ : first, second)
  for (std::int64_t j = 0; j < D; ++j) {
    const float g = g_h[j] * (offset + mul[j]);
    first += g;
    second += g * (x[j] - mean);
  }
  first /= static_cast<float>(D);
  second *= rstd * rstd / static_cast<float>(D);
#pragma omp simd
  for (std::int64_t j = 0; j < D; ++j) {
    g_x[j] = rstd * (g_h[j] * (offset + mul[j]) - first - (x[j] - mean) * second);
  }
  if (row.g_sum != nullptr) {
    const float* __restrict g_sum = row.g_sum;
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) g_x[j] += g_sum[j];
  }
  if (row.g_y != nullptr) {
    float* __restrict g_y = row.g_y;
    const float* __restrict gate = row.gate;
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) g_y[j] = g_x[j] * gate[j];
  }
  if (row.g_gate != nullptr) {
    float* __restrict g_gate = row.g_gate;
    const float* __restrict y = row.y;
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) g_gate[j] += g_x[j] * y[j];
  }
  if (row.g_mul != nullptr) {
    float* __restrict g_mul = row.g_mul;
    float* __restrict g_add = row.g_add;
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) {
      g_mul[j] += g_h[j] * (x[j] - mean) * rstd;
      g_add[j] += g_h[j];
    }
  }
}

SVI_INLINE float rms_rope_row_body(const float* x, const float* weight, const float* cos,
                                   const float* sin, std::int64_t heads, std::int64_t head_dim,
                                   float eps, float* out) {
  const std::int64_t D = heads * head_dim;
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (std::int64_t j = 0; j < D; ++j) squares += x[j] * x[j];
  const float inverse = 1.0F / std::sqrt(squares / static_cast<float>(D) + eps);
  if (cos == nullptr) {
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) out[j] = x[j] * inverse * weight[j];
    return inverse;
  }
  for (std::int64_t head = 0; head < heads; ++head) {
    const float* __restrict from = x + head * head_dim;
    const float* __restrict w = weight + head * head_dim;
    float* __restrict to = out + head * head_dim;
#pragma omp simd
    for (std::int64_t j = 0; j < head_dim / 2; ++j) {
      const float even = from[2 * j] * inverse * w[2 * j];
      const float odd = from[2 * j + 1] * inverse * w[2 * j + 1];
      to[2 * j] = even * cos[j] - odd * sin[j];
      to[2 * j + 1] = even * sin[j] + odd * cos[j];
    }
  }
  return inverse;
}

SVI_INLINE void rms_rope_row_backward_body(const float* g, const float* x, const float* weight,
                                           const float* cos, const float* sin, std::int64_t heads,
                                           std::int64_t head_dim, float inverse, float* scratch,
                                           float* g_x, float* g_weight) {
  const std::int64_t D = heads * head_dim;
  const float* __restrict straight = g;  // the gradient before the rotation
  if (cos != nullptr) {
    for (std::int64_t head = 0; head < heads; ++head) {
      const float* __restrict from = g + head * head_dim;
      float* __restrict to = scratch + head * head_dim;
#pragma omp simd
      for (std::int64_t j = 0; j < head_dim / 2; ++j) {
        to[2 * j] = from[2 * j] * cos[j] + from[2 * j + 1] * sin[j];
        to[2 * j + 1] = from[2 * j + 1] * cos[j] - from[2 * j] * sin[j];
      }
    }
    straight = scratch;
  }
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (std::int64_t j = 0; j < D; ++j) dot += straight[j] * weight[j] * x[j];
  dot *= inverse * inverse / static_cast<float>(D);
  float* __restrict to = g_x;
#pragma omp simd
  for (std::int64_t j = 0; j < D; ++j) to[j] = inverse * (straight[j] * weight[j] - x[j] * dot);
  if (g_weight != nullptr) {
    float* __restrict sum = g_weight;
#pragma omp simd
    for (std::int64_t j = 0; j < D; ++j) sum[j] += straight[j] * x[j] * inverse;
  }
}

SVI_INLINE void gelu_body(const float* x, std::int64_t count, float* out) {
  const float* from = x;
  float* to = out;
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) {
    const float v = from[j];
    const float u = kGelu * (v + kCubic * v * v * v);
    to[j] = v / (1.0F + exp_fast(-u));
  }
}

SVI_INLINE void gelu_backward_body(const float* g, const float* x, std::int64_t count, float* g_x) {
  const float* __restrict from = x;
  const float* __restrict given = g;
  float* __restrict to = g_x;
#pragma omp simd
  for (std::int64_t j = 0; j < count; ++j) {
    const float v = from[j];
    const float u = kGelu * (v + kCubic * v * v * v);
    const float s = 1.0F / (1.0F + exp_fast(-u));
    const float slope = kGelu * (1.0F + 3.0F * kCubic * v * v);
    to[j] = given[j] * s * (1.0F + v * (1.0F - s) * slope);
  }
}

}  // namespace

SVI_CLONES(void, add_norm_row,
           (const AddNormRow& row, std::int64_t D, float eps, float* mean, float* rstd),
           (row, D, eps, mean, rstd))
SVI_CLONES(void, add_norm_row_backward,
           (const AddNormRowGrad& row, std::int64_t D, float mean, float rstd),
           (row, D, mean, rstd))
SVI_CLONES(float, rms_rope_row,
           (const float* x, const float* weight, const float* cos, const float* sin,
            std::int64_t heads, std::int64_t head_dim, float eps, float* out),
           (x, weight, cos, sin, heads, head_dim, eps, out))
SVI_CLONES(void, rms_rope_row_backward,
           (const float* g, const float* x, const float* weight, const float* cos, const float* sin,
            std::int64_t heads, std::int64_t head_dim, float inverse, float* scratch, float* g_x,
            float* g_weight),
           (g, x, weight, cos, sin, heads, head_dim, inverse, scratch, g_x, g_weight))
SVI_CLONES(void, gelu, (const float* x, std::int64_t count, float* out), (x, count, out))
SVI_CLONES(void, gelu_backward, (const float* g, const float* x, std::int64_t count, float* g_x),
           (g, x, count, g_x))

}  // namespace svi::wan
