#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <utility>

#include "model/wan/dit/dit_parts.hpp"
#include "svi/model/causal.hpp"

namespace svi::wan {

/// Frames that the latent's frames stand behind: self-attention sees them and they see nothing.
struct Behind {
  const FrameKeys& past;
  FrameKeys* kept = nullptr;  // receives keys and values of the latent's frames; may be null
  WanRope rope = {};          // places of the past, then those of the latent

  /// Keys and values, [B, L, D] before norm and rotation, of the latent behind those of the past.
  /// Called once for each block, in order.
  std::pair<at::Tensor, at::Tensor> joined(std::size_t block, const at::Tensor& k,
                                           const at::Tensor& v) const;
};

/// The part of `rope`, of several frames, from frame `first` on.
WanRope rope_from(const WanRope& rope, std::int64_t first);

/// Throws ConfigError or Error where frames of this batch cannot stand behind `past`.
void check_behind(const WanDitParts& parts, const FrameKeys& past, std::int64_t batch,
                  std::int64_t frame_tokens);

}  // namespace svi::wan
