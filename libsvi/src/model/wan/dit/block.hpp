#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>

#include "model/wan/dit/behind.hpp"
#include "model/wan/dit/contexts.hpp"
#include "model/wan/dit/dit_parts.hpp"
#include "model/wan/dit/extended.hpp"
#include "model/wan/dit/modulation.hpp"
#include "model/wan/dit/split.hpp"

namespace svi::wan {

/// Remembers the first part of the network whose output is not finite. Set in a Stream, it makes
/// the blocks run by plain tensor operations.
struct FiniteProbe {
  std::string first_bad;  // empty: none yet

  void see(const std::string& part, const at::Tensor& output);
};

/// What every block sees besides the tokens.
struct Stream {
  at::Tensor modulation = {};             // [B, 6, D] or, per latent frame, [B, F, 6, D]  fp32
  at::Tensor head_modulation = {};        // [B, 2, D] or [B, F, 2, D]  fp32
  at::Tensor text = {};                   // [B, L, D]
  at::Tensor image = {};                  // [B, tokens, D] or undefined
  std::shared_ptr<Context> context = {};  // text and image of the lean blocks, not the two above
  WanRope rope = {};
  FiniteProbe* probe = nullptr;
  const Split* split = nullptr;    // where the tokens are this rank's share of them
  FrameOfToken frames = {};        // whose modulation a token takes
  Extended extended = {};          // what model extensions made of this pass
  WanRope view_rope = {};          // of one of its views of self-attention, where there are some
  const Behind* behind = nullptr;  // where the frames stand behind others
};

/// Self-attention over all L tokens, or in the views that an extension asks for. attend(first,
/// count, rope) is that over so many tokens, with their rotations: [B, count, D].
at::Tensor attend_in_views(const Stream& stream, std::int64_t L,
                           const std::function<at::Tensor(std::int64_t first, std::int64_t count,
                                                          const WanRope& rope)>& attend);

/// WanDit::velocity, watched by `probe` where it is not null; or, without gradients, that of frames
/// `behind` others, whose places it is given here.
at::Tensor forward(const WanDitParts& parts, const at::Tensor& noisy, const at::Tensor& timestep,
                   const Condition& condition, FiniteProbe* probe, Behind* behind = nullptr);

/// Tokens [B, L, D] through every block and the head's norm, ready for the last linear layer.
///
/// Three implementations of the same mathematics: of plain tensor operations, for any device and
/// dtype; of fused operations with gradients, for fp32 on the CPU; and a lean one without
/// gradients, for fp32 and bf16 on the CPU. Tests hold them against each other.
at::Tensor run_blocks_plain(const WanDitParts& parts, at::Tensor x, const Stream& stream);
at::Tensor run_blocks_fused(const WanDitParts& parts, at::Tensor x, const Stream& stream);

at::Tensor run_blocks_lean(const WanDitParts& parts, const at::Tensor& x, const Stream& stream);

/// Whether these tokens, in the dtype of the weights, can take the fused or the lean one.
bool can_fuse(const at::Tensor& x);
bool can_run_lean(const at::Tensor& x);

}  // namespace svi::wan
