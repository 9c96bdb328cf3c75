#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "vision/flow/correlation.hpp"
#include "vision/flow/fast_conv.hpp"
#include "vision/flow/line_conv.hpp"
#include "vision/layers.hpp"
#include "vision/weights.hpp"

namespace svi::vision {

/// The two encoders of RAFT: an eighth of the size, 256 channels.
class RaftEncoder {
 public:
  enum class Norm { instance, batch };
  RaftEncoder() = default;
  RaftEncoder(Weights& weights, const std::string& name, Norm norm);
  at::Tensor operator()(const at::Tensor& image) const;  // [1, 3, H, W] to [1, 256, H/8, W/8]

 private:
  struct Block {
    FastConv first, second;
    Conv shortcut;  // without weight where it is the identity
  };
  at::Tensor normed(at::Tensor x, bool linear = false) const;

  Norm norm_ = Norm::instance;
  Conv stem_, last_;
  std::vector<Block> blocks_;
};

/// One direction of the update of RAFT's hidden state. Of its input of 384 channels the 128 of the
/// context stay the same in all iterations: their part of the sums is made once.
class RaftGru {
 public:
  struct Fixed {
    at::Tensor gates, candidate;  // [1, 256, h, w], [1, 128, h, w]
  };
  RaftGru() = default;
  /// `number`: 1 across, 2 down.
  RaftGru(Weights& weights, const std::string& name, int number);
  Fixed fixed(const at::Tensor& context) const;  // [1, 128, h, w]
  at::Tensor operator()(const at::Tensor& hidden, const at::Tensor& motion,
                        const Fixed& fixed) const;  // all [1, 128, h, w]

 private:
  Conv gates_context_, candidate_context_;
  LineConv gates_, candidate_;
};

/// RAFT, the large network: optical flow (Teed and Deng 2020, arXiv 2003.12039; sizes and names of
/// the official raft-things.pth, BSD-3-Clause). fp32.
class Raft {
 public:
  static constexpr std::int64_t kIterations = 20;  // of the official evaluation

  /// Tensors as the official file has them, with or without "module." before each name, or as
  /// torchvision's raft_large has them.
  explicit Raft(Weights weights);

  /// What the network makes of one frame alone: made once, however many flows start or end there.
  struct Frame {
    at::Tensor image;  // [1, 3, H', W'] in [-1, 1], edges repeated to multiples of 8
    FeaturePyramid features;
  };
  Frame look(const at::Tensor& frame) const;  // [3, H, W] in [0, 1], rounded to 8-bit levels

  /// [2, H', W']: for each pixel of the padded frame `from`, how far right and down it has moved in
  /// `to`, in pixels. Frames have one size.
  at::Tensor flow(const Frame& from, const Frame& to, std::int64_t iterations = kIterations) const;

 private:
  at::Tensor motion_of(const at::Tensor& correlation, const at::Tensor& flow) const;
  at::Tensor enlarged(const at::Tensor& flow, const at::Tensor& hidden) const;

  at::Device device_;
  RaftEncoder features_, context_;
  Conv correlation1_, flow1_, head2_, mask1_, mask2_;
  FastConv correlation2_, flow2_, motion_, head1_;
  RaftGru across_, down_;
};

}  // namespace svi::vision
