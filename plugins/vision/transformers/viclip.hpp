#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "vision/layers.hpp"
#include "vision/transformers/transformer.hpp"
#include "vision/weights.hpp"

namespace svi::vision {

/// ViCLIP (Wang et al. 2023, arXiv 2307.06942): a video and a text as vectors that are alike where
/// they belong together. Names are those of ViClip-InternVid-10M-FLT.pth, sizes those of the file:
/// a tower of ViT-L/14 for 8 frames, and one of 12 layers, 768 wide, for 32 tokens. Heads are 64
/// wide. fp32.
class Viclip {
 public:
  /// The tensors under "model" of the official file.
  explicit Viclip(Weights weights);

  /// Normalised frames [T, 3, side, side] to their vector [D], of length 1.
  at::Tensor video(const at::Tensor& frames) const;
  /// Ids of `tokens()` tokens, of which the first of the greatest id ends the text, to [D], of
  /// length 1.
  at::Tensor text(const std::vector<std::int64_t>& ids) const;

  std::int64_t frames() const { return moments_.size(1); }
  std::int64_t side() const { return side_; }
  std::int64_t tokens() const { return text_positions_.size(0); }
  std::int64_t words() const { return text_embedding_.size(0); }  // size of the vocabulary

 private:
  std::int64_t side_ = 0;
  Conv patches_;
  at::Tensor cls_, positions_, moments_, proj_;  // [W], [1 + P, W], [1, T, W], [W, D]
  LayerNorm before_, after_;
  std::vector<Block> blocks_;
  at::Tensor text_embedding_, text_positions_, text_proj_;  // [V, W'], [L, W'], [W', D]
  LayerNorm text_after_;
  std::vector<Block> text_blocks_;
};

}  // namespace svi::vision
