#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "vision/layers.hpp"
#include "vision/transformers/transformer.hpp"
#include "vision/weights.hpp"

namespace svi::vision {

/// Group norm over 32 groups of channels.
struct GroupNorm {
  at::Tensor weight, bias;  // [channels]
  double epsilon = 1e-6;
  GroupNorm() = default;
  GroupNorm(Weights& weights, const std::string& name, std::int64_t channels, double epsilon);
  at::Tensor operator()(const at::Tensor& x) const;
};

/// MUSIQ (Ke et al. 2021, arXiv 2108.05997): how good a picture looks, by patches of the picture at
/// three sizes. Names are those of the files of IQA-PyTorch; the official network is 384 wide and
/// 14 deep. Heads are 64 wide.
class Musiq {
 public:
  /// Takes all tensors of a file, which may lie in a nest `params`; throws IoError if it is of
  /// another network.
  explicit Musiq(Weights weights);

  /// Frames [B, 3, H, W] in [0, 1] to their scores [B], of about 0 .. 100.
  at::Tensor operator()(const at::Tensor& frames) const;

  std::int64_t width() const { return width_; }
  std::int64_t depth() const { return static_cast<std::int64_t>(blocks_.size()); }

 private:
  /// Patches [P, 3, 32, 32] in [-1, 1] to tokens [P, width].
  at::Tensor stem(const at::Tensor& patches) const;
  /// Tokens [B, P, width] of one size of the picture, with their place and size.
  at::Tensor tokens(const at::Tensor& frames, std::int64_t size) const;

  std::int64_t width_ = 0;
  Conv root_, conv1_, conv2_, conv3_, around_;
  GroupNorm root_norm_, norm1_, norm2_, norm3_, around_norm_;
  Linear embedding_, head_;
  at::Tensor places_, sizes_, cls_;  // [100, width], [3, width], [1, 1, width]
  std::vector<Block> blocks_;
  LayerNorm norm_;
};

/// Height and width of a picture whose long side becomes `longer`, rounded half to even: what MUSIQ
/// looks at besides the picture itself.
std::pair<std::int64_t, std::int64_t> musiq_size(std::int64_t height, std::int64_t width,
                                                 std::int64_t longer);

/// Where patches lie on MUSIQ's grid of 10 x 10: the index of each of rows x columns patches, row
/// by row.
at::Tensor musiq_places(std::int64_t rows, std::int64_t columns);

}  // namespace svi::vision
