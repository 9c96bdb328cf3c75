#pragma once

#include <ATen/core/Tensor.h>

#include "svi/core/export.hpp"

namespace svi::wan {

/// x weight^T + bias by whatever is fastest here. x [..., in] fp32 or bf16 (on the CPU), weight
/// [out, in] with any strides, bias [out] or undefined.
///
/// The weight may be stored in another dtype than x where `multiplies_stored` says so: fp32, bf16,
/// fp16, fp8, or int8 with `scale` [out, groups]. It is widened in cache, block by block,
/// multiplied in fp32, and never there as a whole.
///
/// No gradients are recorded: call it where they are off.
SVI_EXPORT at::Tensor dense(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& scale = {});

/// The same, then GELU in its tanh form, in one pass.
SVI_EXPORT at::Tensor dense_gelu(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const at::Tensor& scale = {});

/// out = x w^T + bias of fp32 matrices on the CPU: x [M, K], w [N, K] and out [M, N] with any
/// strides, bias [N] or undefined. The products of a backward pass.
SVI_EXPORT void product_into(const at::Tensor& out, const at::Tensor& x, const at::Tensor& w,
                             const at::Tensor& bias = {});
/// out += x w^T.
SVI_EXPORT void add_product(const at::Tensor& out, const at::Tensor& x, const at::Tensor& w);
/// x w^T.
SVI_EXPORT at::Tensor product_of(const at::Tensor& x, const at::Tensor& w);

/// Whether `dense` takes a weight as it is stored. Not where the processor multiplies bf16 by
/// itself: converting a block once is faster there than widening it in each product.
SVI_EXPORT bool multiplies_stored(const at::Tensor& weight);

}  // namespace svi::wan
