#pragma once

#include <ATen/core/Tensor.h>

#include "vision/layers.hpp"

namespace svi::vision {

/// A convolution of 3 x 3 with one row and column of zeros around, at every pixel of a frame whose
/// channels lie last; in a quarter of the multiplications (Winograd) where it runs on a CPU and at
/// least 16 channels come in. Other strides and kernels are the plain convolution.
class FastConv {
 public:
  FastConv() = default;
  explicit FastConv(Conv conv);
  at::Tensor operator()(const at::Tensor& x) const;  // [1, in, h, w] to [1, out, h, w]

 private:
  Conv conv_;
  at::Tensor made_;  // undefined where it is the plain convolution
};

/// (x - mean) / deviation of each channel over the places of a frame [1, C, h, w], epsilon 1e-5,
/// then ReLU unless `linear`; in place.
at::Tensor normed_over_places(at::Tensor x, bool linear = false);

}  // namespace svi::vision
