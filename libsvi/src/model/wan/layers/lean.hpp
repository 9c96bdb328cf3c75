#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "model/wan/dit/dit_parts.hpp"
#include "model/wan/layers/fused.hpp"

// The pieces of the forward pass without gradients on the CPU, in fp32 or bf16. Nothing is kept for
// a backward pass. The residual stream, norms, softmax and rotation are fp32 in both dtypes, as the
// official code has them. T is the dtype of the weights.
namespace svi::wan::lean {

/// What follows a linear layer in the same pass.
enum class Activation { none, gelu_tanh };

/// weight x + bias with the adapter's update, then the activation. x [..., in] T -> [..., out] T.
at::Tensor linear(const at::Tensor& x, const WanLinear& layer,
                  Activation activation = Activation::none);

/// x += gate y, then h = LayerNorm(x) (one + mul) + add, for rows first .. first + n of the flat
/// residual stream. x [B, L, D] fp32; y [n, D] T or undefined; gate [B, D] or [B, F, D] fp32 or
/// undefined; gain fp32; h [B, L, D] T.
void residual_norm(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate,
                   const fused::Gain& gain, const FrameOfToken& frames, double eps,
                   std::int64_t first, std::int64_t n, const at::Tensor& h);

/// Keys and values made ready for attend(): in panels where the flash kernel takes heads of that
/// size, as [B, M, D] otherwise.
struct Keys {
  at::Tensor k, v;
  std::int64_t count = 0;  // M
  double last_weight = 1;  // how many equal keys the last one stands for
  bool panels = false;
};

/// Shape of the heads and the norm of queries and keys.
struct Heads {
  std::int64_t count;
  double eps;
};

/// RMSNorm over all of D, then rotation. x [B, L, D] T -> [B, L, D] T; norm [D].
at::Tensor normed(const at::Tensor& x, const at::Tensor& norm, const WanRope& rope,
                  const Heads& heads);

/// Norm and rotation (where `rope` is given) of keys. k, v [B, M, D] T, norm [D], or undefined for
/// keys that are normed and rotated already.
Keys keys(const at::Tensor& k, const at::Tensor& v, const at::Tensor& norm, const WanRope* rope,
          const Heads& heads, double last_weight = 1);

/// Norm and rotation of queries likewise, then softmax attention. q [B, L, D] T -> [B, L, D] T.
at::Tensor attend(const at::Tensor& q, const at::Tensor& norm, const WanRope* rope,
                  const Heads& heads, const Keys& keys);

}  // namespace svi::wan::lean
