#pragma once

#include <ATen/core/Tensor.h>

#include "vision/layers.hpp"

namespace svi::vision {

/// A convolution of 5 taps along rows (1 x 5) or columns (5 x 1) of frames whose channels lie last,
/// with two zeros at both ends and without bias. On a CPU it takes 8 products where the plain sum
/// takes 20 (Winograd's F(4, 5)), in blocks that stay in cache; its relative error is about 1e-6.
class LineConv {
 public:
  LineConv() = default;
  /// `in` and `out` are multiples of 16.
  explicit LineConv(Conv conv);
  /// The convolution of x [1, in, h, w] and `add` [1, out, h, w] in one.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& add) const;

 private:
  Conv conv_;
  at::Tensor made_;  // [8, in, out]; undefined where it is the plain convolution
  bool across_ = true;
};

}  // namespace svi::vision
