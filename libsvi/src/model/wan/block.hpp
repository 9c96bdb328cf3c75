#pragma once

#include <ATen/core/Tensor.h>

#include "model/wan/dit_parts.hpp"

namespace svi::wan {

/// What every block sees besides the tokens.
struct Stream {
  at::Tensor modulation = {};       // [B, 6, D]  fp32
  at::Tensor head_modulation = {};  // [B, 2, D]  fp32
  at::Tensor text = {};             // [B, L, D]
  at::Tensor image = {};            // [B, tokens, D] or undefined
  WanRope rope = {};
};

/// Tokens [B, L, D] through every block and the head's norm, ready for the last linear layer.
///
/// Two implementations of the same mathematics: one of plain tensor operations, for any device and
/// dtype, and one of fused operations, for fp32 on the CPU. Tests hold them against each other.
at::Tensor run_blocks_plain(const WanDitParts& parts, at::Tensor x, const Stream& stream);
at::Tensor run_blocks_fused(const WanDitParts& parts, at::Tensor x, const Stream& stream);

/// Whether the fused implementation takes these tokens.
bool can_fuse(const at::Tensor& x);

}  // namespace svi::wan
