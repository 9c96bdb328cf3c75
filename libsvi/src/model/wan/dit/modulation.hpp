#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svi::wan {

/// Which latent frame a token of a sample belongs to, where time differs from frame to frame.
struct FrameOfToken {
  std::int64_t tokens = 1;  // of one latent frame
  std::int64_t first = 0;   // index, among all tokens of the sample, of the first one here
  at::Tensor row = {};      // [L] int64: the row of each token, where token groups follow the
                            // latent's; undefined: as above

  std::int64_t of(std::int64_t token) const { return (first + token) / tokens; }
};

/// A table that modulates tokens: [D] for all, [B, D] per sample, or [B, F, D] per latent frame;
/// fp32 with contiguous rows, or undefined. Finds the row for a token of the flat stream [B L].
class ModulationRows {
 public:
  ModulationRows(const at::Tensor& table, std::int64_t L, const FrameOfToken& frames)
      : data_(table.defined() ? table.const_data_ptr<float>() : nullptr),
        sample_(table.defined() && table.dim() > 1 ? table.stride(0) : 0),
        frame_(table.defined() && table.dim() > 2 ? table.stride(1) : 0),
        L_(L),
        frames_{frames.tokens, frames.first},
        rows_(frames.row.defined() ? frames.row.const_data_ptr<std::int64_t>() : nullptr) {}

  const float* of(std::int64_t row) const {
    if (data_ == nullptr) return nullptr;
    const auto* sample = data_ + row / L_ * sample_;
    if (frame_ == 0) return sample;
    return sample + (rows_ == nullptr ? frames_.of(row % L_) : rows_[row % L_]) * frame_;
  }

 private:
  const float* data_;
  std::int64_t sample_, frame_, L_;
  FrameOfToken frames_;
  const std::int64_t* rows_;
};

/// The table spread over tokens, for plain tensor operations: [B, 1, D] for [B, D], [B, L, D] for
/// [B, F, D].
at::Tensor spread_over_tokens(const at::Tensor& table, std::int64_t L, const FrameOfToken& frames);

}  // namespace svi::wan
