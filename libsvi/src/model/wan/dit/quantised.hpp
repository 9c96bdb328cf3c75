#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svi::wan {

/// A matrix in 8 bits: weight[o, i] is about values[o, i] scale[o, i / group].
struct Quantised {
  at::Tensor values;  // [out, in]      int8, -127..127
  at::Tensor scale;   // [out, groups]  fp32
};

/// Rounds to nearest, each group's largest magnitude becoming 127: no element is off by more than
/// half its scale. `group` inputs share a scale; 0, or not a divisor of the width, means the row.
Quantised quantised(const at::Tensor& weight, std::int64_t group);

/// [out, in] in `dtype`, rounded once.
at::Tensor dequantised(const at::Tensor& values, const at::Tensor& scale, at::ScalarType dtype);

}  // namespace svi::wan
