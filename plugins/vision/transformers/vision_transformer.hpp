#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "vision/layers.hpp"
#include "vision/transformers/transformer.hpp"
#include "vision/weights.hpp"

namespace svi::vision {

/// The vision transformers of DINO (Caron et al. 2021, arXiv 2104.14294) and DINOv2 (Oquab et al.
/// 2023, arXiv 2304.07193), by the names of their official files: cls_token, pos_embed,
/// patch_embed.proj, blocks.N, norm. Sizes are those of the file: ViT-B/16 is 768 wide and 12 deep.
/// Heads are 64 wide, GELU is exact, the layer norms add 1e-6.
class VisionTransformer {
 public:
  /// Takes all tensors of a file; throws IoError if it is of another network.
  explicit VisionTransformer(Weights weights);
  /// The network of these sizes, or an IoError that names the file.
  VisionTransformer(Weights weights, std::int64_t width, std::int64_t depth, std::int64_t patch);

  /// Normalised frames [B, 3, H, W] to what stands in the class token after the last layer norm,
  /// [B, width]. Pixels right and below of the last whole patch do not count.
  at::Tensor operator()(const at::Tensor& frames) const;
  /// The same before the last layer norm.
  at::Tensor before_norm(const at::Tensor& frames) const;

  std::int64_t width() const { return width_; }
  std::int64_t depth() const { return static_cast<std::int64_t>(blocks_.size()); }
  std::int64_t patch() const { return patch_; }

 private:
  /// Positions [1, 1 + rows * columns, width] of a picture; the class token's comes first.
  at::Tensor positions(std::int64_t height, std::int64_t width) const;

  std::int64_t width_ = 0, patch_ = 0, grid_ = 0;  // grid_: rows and columns of the table
  at::Tensor cls_, table_;                         // [1, 1, width], [1, 1 + grid^2, width]
  Conv patches_;
  std::vector<Block> blocks_;
  LayerNorm norm_;
};

}  // namespace svi::vision
