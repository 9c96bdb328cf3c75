#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/wan/dit/dit_parts.hpp"
#include "model/wan/dit/modulation.hpp"

namespace svi::wan {

/// weight x + bias, with the adapter's update where one is attached; x [..., in] -> [..., out].
at::Tensor linear(const at::Tensor& x, const WanLinear& layer);

/// LayerNorm(x) (1 + scale) + shift in fp32, in the dtype of x. x [B, L, D]; shift, scale [B, 1,
/// D] or [B, L, D].
at::Tensor modulated_norm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                          double eps);

/// x + y gate in fp32, in the dtype of x. x, y [B, L, D]; gate [B, 1, D] or
/// [B, L, D].
at::Tensor gated_add(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);

/// LayerNorm with gain and offset, in fp32, in the dtype of x.
at::Tensor affine_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       double eps);

/// RMSNorm over all of D, then rotation of each head's channel pairs where `rope` is given.
/// x [B, L, D] -> [B, heads, L, D / heads].
at::Tensor rms_rope(const at::Tensor& x, const at::Tensor& weight, std::int64_t heads,
                    const WanRope* rope, double eps);

/// Softmax attention of [B, heads, L, head_dim] -> [B, L, heads * head_dim].
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// [B, L, D] -> [B, heads, L, D / heads], a view.
at::Tensor split_heads(const at::Tensor& x, std::int64_t heads);

}  // namespace svi::wan
