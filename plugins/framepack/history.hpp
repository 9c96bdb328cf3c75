#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <svi/model/extension.hpp>

namespace framepack {

// Condition parts that the film brings and the extension reads.
inline constexpr const char* kHistory = "history";        // [B, C, K, h, w]  clean latent frames
inline constexpr const char* kIndices = "history_index";  // [B, K]  their frames on the clip's grid

/// History frames of one rate: `frames` of them share tokens in blocks of rate x rate x rate
/// patches.
struct Rate {
  std::int64_t rate = 1;    // 1, 2, 4
  std::int64_t frames = 0;  // latent frames, at most
};

/// The start frame and the newest one at full rate, two at half and sixteen at a quarter: the
/// context of FramePack (Zhang and Agrawala 2025), whatever the film's length.
inline constexpr std::array<Rate, 3> kRates = {Rate{1, 2}, Rate{2, 2}, Rate{4, 16}};
inline constexpr std::int64_t kHistoryFrames = 1 + 2 + 16;  // beside the start frame

/// Tokens of history frames at one rate.
///
/// latent [B, C, f, h, w], in order; indices [f]: their frames on the token grid. Frames and sides
/// that are no whole number of blocks are padded by copies of their ends. A block is averaged and
/// goes through the model's own patch embedding, as FramePack's tiled projections start: a constant
/// latent gives the same token at every rate. A token stands at the middle of its block.
svi::TokenGroup history_tokens(const at::Tensor& latent, const at::Tensor& indices,
                               std::int64_t rate, const std::vector<std::int64_t>& patch,
                               const std::function<at::Tensor(const at::Tensor&)>& embed);

}  // namespace framepack
