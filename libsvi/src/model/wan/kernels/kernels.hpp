#pragma once

#include <cstdint>

namespace svi::wan {

// Row kernels of the fused fp32 path on the CPU; plain pointers, no allocation, one thread each.
// Each is compiled for several instruction sets and chosen at load time.

/// One row of `sum = x + gate y; h = norm(sum) (offset + mul) + add`, all of width D.
/// y may be null (sum = x, not written), gate may be null (1).
struct AddNormRow {
  const float* x;
  const float* y;
  const float* gate;
  const float* mul;
  const float* add;
  float offset;
  float* sum;
  float* h;
};
void add_norm_row(const AddNormRow& row, std::int64_t D, float eps, float* mean, float* rstd);

/// Its backward: g_sum may be null (no gradient from outside); g_x receives the gradient of x, g_y
/// of y (null where unwanted). The sums over rows are added to where they are not null.
struct AddNormRowGrad {
  const float* sum;
  const float* y;
  const float* gate;
  const float* mul;
  float offset;
  const float* g_sum;
  const float* g_h;
  float* g_x;
  float* g_y;
  float* g_gate;
  float* g_mul;
  float* g_add;
};
void add_norm_row_backward(const AddNormRowGrad& row, std::int64_t D, float mean, float rstd);

/// out = RMSNorm(x) weight, each head's channel pairs turned by (cos, sin) [head_dim / 2] unless
/// null. Returns 1 / rms.
float rms_rope_row(const float* x, const float* weight, const float* cos, const float* sin,
                   std::int64_t heads, std::int64_t head_dim, float eps, float* out);

/// Its backward; `scratch` has width D, g_weight (added to) may be null.
void rms_rope_row_backward(const float* g, const float* x, const float* weight, const float* cos,
                           const float* sin, std::int64_t heads, std::int64_t head_dim,
                           float inverse, float* scratch, float* g_x, float* g_weight);

/// GELU by its tanh form, and its gradient times g.
void gelu(const float* x, std::int64_t count, float* out);
void gelu_backward(const float* g, const float* x, std::int64_t count, float* g_x);

}  // namespace svi::wan
