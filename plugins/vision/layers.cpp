#include "vision/layers.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi::vision {
namespace {

/// [width] along axis 1 of x.
at::Tensor over_channels(const at::Tensor& values, std::int64_t dims) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(dims), 1);
  sizes[1] = values.size(0);
  return values.view(sizes);
}

}  // namespace

Linear::Linear(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
               bool biased)
    : weight(weights.take(name + ".weight", {out, in})) {
  if (biased) bias = weights.take(name + ".bias", {out});
}

at::Tensor Linear::operator()(const at::Tensor& x) const { return at::linear(x, weight, bias); }

Conv::Conv(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
           ConvShape shape_)
    : shape(std::move(shape_)) {
  std::vector<std::int64_t> sizes = {out, in};
  sizes.insert(sizes.end(), shape.kernel.begin(), shape.kernel.end());
  weight = weights.take(name + ".weight", sizes);
  if (shape.biased) bias = weights.take(name + ".bias", {out});
}

at::Tensor Conv::operator()(const at::Tensor& x) const {
  switch (shape.kernel.size()) {
    case 1:
      return at::conv1d(x, weight, bias, shape.stride, shape.padding);
    case 2:
      return at::conv2d(x, weight, bias, shape.stride, shape.padding);
    case 3:
      return at::conv3d(x, weight, bias, shape.stride, shape.padding);
    default:
      raise<Error>("a convolution over ", shape.kernel.size(), " axes");
  }
}

LayerNorm::LayerNorm(Weights& weights, const std::string& name, std::int64_t width, double epsilon_)
    : weight(weights.take(name + ".weight", {width})),
      bias(weights.take(name + ".bias", {width})),
      epsilon(epsilon_) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, weight.sizes(), weight, bias, epsilon);
}

BatchNorm::BatchNorm(Weights& weights, const std::string& name, std::int64_t width, double epsilon,
                     bool affine) {
  const auto mean = weights.take(name + ".running_mean", {width});
  const auto variance = weights.take(name + ".running_var", {width});
  if (weights.has(name + ".num_batches_tracked")) weights.take(name + ".num_batches_tracked");
  scale = (variance + epsilon).rsqrt();
  if (affine) scale = scale * weights.take(name + ".weight", {width});
  shift = -mean * scale;
  if (affine) shift = shift + weights.take(name + ".bias", {width});
}

at::Tensor BatchNorm::operator()(const at::Tensor& x) const {
  return x * over_channels(scale, x.dim()) + over_channels(shift, x.dim());
}

Conv folded(Conv conv, const BatchNorm& norm) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(conv.weight.dim()), 1);
  sizes[0] = norm.scale.size(0);
  conv.weight = conv.weight * norm.scale.view(sizes);
  conv.bias = conv.bias.defined() ? conv.bias * norm.scale + norm.shift : norm.shift;
  return conv;
}

}  // namespace svi::vision
