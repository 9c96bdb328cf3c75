#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include "model/wan/dit/dit_parts.hpp"
#include "model/wan/dit/modulation.hpp"

// The fp32 CPU path of the transformer: operations fused into few passes over memory, each with its
// own backward, so that a step spends its time in matrix products. All tensors are contiguous fp32
// on the CPU.
namespace svi::wan::fused {

/// Layers with the same input as one matrix product: x [..., in] -> [..., sum of out], in their
/// order.
///
/// Adapters are folded into the weights for the forward pass and the gradient of x. Their own
/// gradients come from x and the output's gradient in whichever way takes fewer operations. Weights
/// that need no gradient get none.
at::Tensor linear(const at::Tensor& x, std::initializer_list<const WanLinear*> layers);

/// Gain and offset of a norm: [D], [B, D], one per sample, or [B, F, D], one per latent frame. The
/// gain used is `one + mul`.
struct Gain {
  at::Tensor mul, add;
  double one = 0;
};

/// sum = x + gate y and h = LayerNorm(sum) (one + mul) + add; x, y [B, L, D], gate [B, D], [B, F,
/// D] or undefined. Returns {sum, h}.
std::pair<at::Tensor, at::Tensor> add_norm(const at::Tensor& x, const at::Tensor& y,
                                           const at::Tensor& gate, const Gain& gain,
                                           const FrameOfToken& frames, double eps);

/// LayerNorm(x) (one + mul) + add.
at::Tensor norm(const at::Tensor& x, const Gain& gain, const FrameOfToken& frames, double eps);

/// The attention core: RMSNorm of q and k over all of D, rotary positions where `rope` is given,
/// softmax attention. q, k and v are consecutive columns of qkv [B, L, 3 D] (self-attention), or q
/// [B, L, D] and kv [B, M, 2 D]. Returns [B, L, D].
at::Tensor self_attention(const at::Tensor& qkv, const at::Tensor& norm_q, const at::Tensor& norm_k,
                          const WanRope& rope, std::int64_t heads, double eps);
at::Tensor cross_attention(const at::Tensor& q, const at::Tensor& kv, const at::Tensor& norm_q,
                           const at::Tensor& norm_k, std::int64_t heads, double eps);

/// GELU in its tanh form.
at::Tensor gelu(const at::Tensor& x);

}  // namespace svi::wan::fused
