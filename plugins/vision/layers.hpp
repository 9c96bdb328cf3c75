#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "vision/weights.hpp"

namespace svi::vision {

/// Layers of networks that only look: weights and how to apply them, fp32, no gradients. Each reads
/// NAME.weight and NAME.bias.

/// y = x W^T + b; x is [..., in].
struct Linear {
  at::Tensor weight, bias;  // [out, in]; [out] or undefined
  Linear() = default;
  Linear(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
         bool biased = true);
  at::Tensor operator()(const at::Tensor& x) const;
};

/// How a convolution moves; one value holds for all axes.
struct ConvShape {
  std::vector<std::int64_t> kernel;
  std::vector<std::int64_t> stride = {1};
  std::vector<std::int64_t> padding = {0};  // of zeros
  bool biased = true;
};

/// Convolution over as many axes as `kernel` has: x is [B, in, ...].
struct Conv {
  at::Tensor weight, bias;  // [out, in, kernel...]; [out] or undefined
  ConvShape shape;
  Conv() = default;
  Conv(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
       ConvShape shape);
  at::Tensor operator()(const at::Tensor& x) const;
};

/// Over the last axis.
struct LayerNorm {
  at::Tensor weight, bias;  // [width]
  double epsilon = 1e-5;
  LayerNorm() = default;
  LayerNorm(Weights& weights, const std::string& name, std::int64_t width, double epsilon);
  at::Tensor operator()(const at::Tensor& x) const;
};

/// With the moments that training left (running_mean, running_var), over axis 1.
struct BatchNorm {
  at::Tensor scale, shift;  // [width]: the whole of it is x * scale + shift
  BatchNorm() = default;
  /// `affine`: the file has weight and bias.
  BatchNorm(Weights& weights, const std::string& name, std::int64_t width, double epsilon = 1e-5,
            bool affine = true);
  at::Tensor operator()(const at::Tensor& x) const;
};

/// The same, drawn into the convolution before it.
Conv folded(Conv conv, const BatchNorm& norm);

}  // namespace svi::vision
