#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svi::wan {

/// RMS norm over channels, then SiLU, then `front` zero frames before the first: what every causal
/// convolution of the VAE wants to read. x [B, C, T, H, W], gamma [C, 1, 1, 1];
/// returns [B, C, front + T, H, W]. Differentiable.
///
/// Note [Fused norm]: done op by op this costs more than the convolutions at small sizes: the
/// passes are bound by memory. On the CPU in fp32, one pass reads x and writes the padded result;
/// backward recomputes.
at::Tensor norm_silu_pad(const at::Tensor& x, const at::Tensor& gamma, std::int64_t front);

/// The same over one frame x [B, H, W, C], fp32 on the CPU, C a multiple of 4, into `out`, which
/// may be x. Not differentiable.
void norm_silu(const at::Tensor& x, const at::Tensor& gamma, at::Tensor& out);

/// x / |x| * sqrt(C) * gamma over dimension 1, for any layout.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gamma);

}  // namespace svi::wan
