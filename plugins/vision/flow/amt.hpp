#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "vision/flow/fast_conv.hpp"
#include "vision/layers.hpp"
#include "vision/weights.hpp"

namespace svi::vision {

/// A convolution and the PReLU behind it, one slope per channel.
struct SlopedConv {
  FastConv conv;
  at::Tensor slope;  // [out]
  SlopedConv() = default;
  /// Reads CONV.weight, CONV.bias and SLOPE.weight.
  SlopedConv(Weights& weights, const std::string& conv, const std::string& slope, std::int64_t in,
             std::int64_t out, std::int64_t stride = 1);
  at::Tensor operator()(const at::Tensor& x) const;
};

/// The trunk of a decoder of AMT: a convolution, a residual block whose last 20 channels take a
/// detour, and a transposed convolution to twice the size.
class AmtTrunk {
 public:
  AmtTrunk() = default;
  AmtTrunk(Weights& weights, const std::string& name, std::int64_t in, std::int64_t width,
           std::int64_t out);
  at::Tensor operator()(const at::Tensor& x) const;  // [1, in, h, w] to [1, out, 2h, 2w]

 private:
  SlopedConv entry_, wide1_, side1_, wide2_, side2_;
  FastConv wide3_;
  at::Tensor slope_;                // [width]
  at::Tensor up_weight_, up_bias_;  // [width, out, 4, 4], [out]
};

/// The update of AMT's flows and features by what the correlation says.
class AmtUpdate {
 public:
  AmtUpdate() = default;
  /// `channels` of the features; `factor`: how much larger they are than the correlation.
  AmtUpdate(Weights& weights, const std::string& name, std::int64_t channels, std::int64_t factor);
  /// Adds to `features` [1, channels, h f, w f] and `flows` [1, 4, h f, w f]; `small_flows`
  /// [1, 4, h, w] are the flows at the correlation's size, in its pixels.
  void operator()(at::Tensor& features, at::Tensor& flows, const at::Tensor& small_flows,
                  const at::Tensor& correlation) const;

 private:
  std::int64_t factor_ = 1;
  Conv correlation_, flow1_, flows2_;
  FastConv flow2_, both_, state1_, state2_, features1_, features2_, flows1_;
};

/// AMT-S: the frame between two frames (Li et al. 2023, arXiv 2304.09790; sizes and names of the
/// official amt-s.pth, CC BY-NC 4.0). fp32.
class Amt {
 public:
  /// Tensors as "state_dict" of the official file has them.
  explicit Amt(Weights weights);

  /// The frame midway between `first` and `last`, all [3, H, W] in [0, 1].
  at::Tensor between(const at::Tensor& first, const at::Tensor& last) const;

 private:
  struct Flows {
    at::Tensor features, flows;  // [1, C, h, w]; [1, 4, h, w]: to the first frame, to the last
  };
  at::Tensor correlated(const at::Tensor& image) const;  // features for the correlation
  std::array<at::Tensor, 4> pyramid(const at::Tensor& image) const;
  static at::Tensor decoded(const AmtTrunk& trunk, const Flows& now, const at::Tensor& first,
                            const at::Tensor& last);
  static Flows finer(const at::Tensor& decoded, const at::Tensor& flows);
  at::Tensor combined(const at::Tensor& decoded, const at::Tensor& flows, const at::Tensor& first,
                      const at::Tensor& last, const at::Tensor& mean) const;

  struct Bottleneck {
    Conv narrow, middle, wide, shortcut;  // the last without weight where it is the identity
  };
  at::Device device_;
  Conv stem_, last_;
  std::vector<Bottleneck> bottlenecks_;
  std::array<std::pair<SlopedConv, SlopedConv>, 4> pyramid_;
  std::array<AmtTrunk, 4> trunks_;    // of decoder1 .. decoder4
  std::array<AmtUpdate, 3> updates_;  // update2 .. update4
  SlopedConv combine1_;
  Conv combine2_;
};

}  // namespace svi::vision
