#include <ATen/ATen.h>

#include "model/wan/layers/lean.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dense.hpp"

namespace svi::wan::lean {
namespace {

at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const WanLinear& layer,
                   Activation activation) {
  return activation == Activation::gelu_tanh ? dense_gelu(x, weight, layer.bias, layer.scale)
                                             : dense(x, weight, layer.bias, layer.scale);
}

}  // namespace

at::Tensor linear(const at::Tensor& x, const WanLinear& layer, Activation activation) {
  if (layer.lora == nullptr) return product(x, layer.weight, layer, activation);
  const auto& adapter = layer.lora->adapters()[layer.adapter];
  const auto scale = layer.lora->scale();
  const auto rows = x.numel() / x.size(-1);
  const auto out = layer.weight.size(0), in = layer.weight.size(1);
  // Folding costs a product with in x out results, keeping apart one with rows x (in + out). In
  // bf16 a folded weight would round small updates away.
  const bool fp32 = x.scalar_type() == at::kFloat && layer.weight.scalar_type() == at::kFloat;
  if (fp32 && in * out < rows * (in + out)) {
    return product(x, at::addmm(layer.weight, adapter.b, adapter.a, 1, scale), layer, activation);
  }
  const auto a = adapter.a.to(x.scalar_type()), b = adapter.b.to(x.scalar_type());
  auto y = dense(x, layer.weight, layer.bias, layer.scale);
  y.add_(dense(dense(x, a, {}), b, {}), scale);
  return activation == Activation::gelu_tanh ? at::gelu_(y, "tanh") : y;
}

}  // namespace svi::wan::lean
