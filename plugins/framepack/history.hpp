#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <svi/model/extension.hpp>
#include <vector>

namespace framepack {

// Condition parts that the film brings and the extension reads.
inline constexpr const char* kHistory = "history";        // [B, C, K, h, w]  clean latent frames
inline constexpr const char* kIndices = "history_index";  // [B, K]  their frames on the clip's grid
inline constexpr const char* kRate = "history_rate";      // [B, K]  whole numbers, rising

/// Tokens of history frames at one rate: `rate` frames share tokens, in blocks of rate x rate x
/// rate patches.
///
/// latent [B, C, f, h, w], in order; indices [f]: their frames on the token grid. Frames and sides
/// that are no whole number of blocks are padded by copies of their ends. A block is averaged and
/// goes through the model's own patch embedding, as FramePack's tiled projections start: a constant
/// latent gives the same token at every rate. The rotation of a token is the mean of those of its
/// block: positions [3, l, rate].
svi::TokenGroup history_tokens(const at::Tensor& latent, const at::Tensor& indices,
                               std::int64_t rate, const std::vector<std::int64_t>& patch,
                               const std::function<at::Tensor(const at::Tensor&)>& embed);

/// Where the start frame and the frames beside a section stand, the section's first frame being 0:
/// [1 + beside], the start frame first, then what lies beside the section, nearest first.
///
/// `inverted`: what lies beside comes after the section of `section` frames, else before it. `gap`:
/// frames between the image and the section.
std::vector<double> history_indices(bool inverted, std::int64_t gap, std::int64_t section,
                                    std::int64_t beside);

/// Frames between image and section that FramePack tells of section `place` of `sections` in
/// inverted order, in sections: true up to four sections; of longer films 3 for the last section, 1
/// and 0 for the first two, and 2 for all between.
std::int64_t told_gap(std::int64_t place, std::int64_t sections);

}  // namespace framepack
