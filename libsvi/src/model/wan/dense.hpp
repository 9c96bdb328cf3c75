#pragma once

#include <ATen/core/Tensor.h>

namespace svi::wan {

/// x weight^T + bias by the faster library: oneDNN for fp32 and bf16 on the CPU (LibTorch's own
/// fp32 product is MKL's, which uses narrow vectors on processors that are not Intel's), at::linear
/// otherwise. x [..., in], weight [out, in] with any strides, bias [out] or undefined.
///
/// No gradients are recorded: call it where they are off.
at::Tensor dense(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// The same, then GELU in its tanh form, in one pass.
at::Tensor dense_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace svi::wan
