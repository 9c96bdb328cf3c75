#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "vision/layers.hpp"
#include "vision/transformers/transformer.hpp"
#include "vision/weights.hpp"

namespace svi::vision {

/// The image tower of CLIP (Radford et al. 2021, arXiv 2103.00020) by OpenAI's names: visual.conv1,
/// visual.class_embedding, visual.positional_embedding, visual.ln_pre,
/// visual.transformer.resblocks.N, visual.ln_post, visual.proj. Sizes are those of the file:
/// ViT-B/32 is 768 wide, 12 deep, 512 out; ViT-L/14 is 1024, 24, 768. Heads are 64 wide.
class ClipTower {
 public:
  /// Takes the tensors that begin with `visual.` and drops the rest (the tower of texts); throws
  /// IoError if the file is of another network.
  explicit ClipTower(Weights weights, Gelu gelu = Gelu::quick);

  /// Normalised frames [B, 3, side, side] to their embeddings [B, out], not normalised.
  at::Tensor operator()(const at::Tensor& frames) const;

  std::int64_t width() const { return width_; }
  std::int64_t depth() const { return static_cast<std::int64_t>(blocks_.size()); }
  std::int64_t patch() const { return patch_; }
  std::int64_t side() const { return side_; }         // pixels that frames must have
  std::int64_t out() const { return proj_.size(1); }  // width of an embedding

 private:
  std::int64_t width_ = 0, patch_ = 0, side_ = 0;
  at::Tensor cls_, positions_, proj_;  // [width], [1 + patches, width], [width, out]
  Conv patches_;
  LayerNorm before_, after_;
  std::vector<Block> blocks_;
};

}  // namespace svi::vision
