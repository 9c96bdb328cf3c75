#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/wan/layers/fused.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dense.hpp"

namespace svi::wan::fused {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What is known of each layer besides its tensors.
struct LayerInfo {
  bool adapted = false;
  double scale = 0;
};

at::Tensor rows_of(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

// Weights stacked over the layers, adapters folded in: [sum of out, in].
at::Tensor fold(at::TensorList weights, at::TensorList adapters,
                const std::vector<LayerInfo>& infos) {
  if (weights.size() == 1 && adapters.empty()) return weights[0];
  std::int64_t total = 0;
  for (const auto& weight : weights) total += weight.size(0);
  auto folded = at::empty({total, weights[0].size(1)}, weights[0].options());
  std::int64_t row = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    auto slot = folded.narrow(0, row, weights[i].size(0));
    if (infos[i].adapted) {
      at::addmm_out(slot, weights[i], adapters[next + 1], adapters[next], 1, infos[i].scale);
      next += 2;
    } else {
      slot.copy_(weights[i]);
    }
    row += weights[i].size(0);
  }
  return folded;
}

// Whether adapters are kept apart from the weights: folding costs a product with in x out results
// per layer, keeping apart one with rows x (in + out).
bool keeps_apart(const at::Tensor& X, at::TensorList weights, at::TensorList adapters) {
  std::int64_t out = 0;
  for (const auto& weight : weights) out += weight.size(0);
  const auto in = X.size(1), layers = static_cast<std::int64_t>(weights.size());
  return !adapters.empty() && X.size(0) * (layers * in + out) < in * out;
}

// What the backward pass knows of one layer.
struct Layer {
  at::Tensor weight;  // [out, in], or undefined where all are folded into one
  at::Tensor a, b;    // of its adapter, or undefined
  double scale = 0;
  std::int64_t row = 0, out = 0;  // its part of the output
};

// Inputs in this order: x; each weight; each bias; A and B of each adapted layer.
struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, at::TensorList weights,
                            at::TensorList biases, at::TensorList adapters,
                            const std::vector<LayerInfo>* infos) {
    const auto X = rows_of(x);
    const bool apart = keeps_apart(X, weights, adapters);
    c10::List<bool> adapted;
    c10::List<double> scales;
    c10::List<std::int64_t> outs;
    std::int64_t total = 0;
    for (std::size_t i = 0; i < infos->size(); ++i) {
      adapted.push_back((*infos)[i].adapted);
      scales.push_back((*infos)[i].scale);
      outs.push_back(weights[i].size(0));
      total += weights[i].size(0);
    }
    ctx->saved_data["adapted"] = adapted;
    ctx->saved_data["scales"] = scales;
    ctx->saved_data["outs"] = outs;
    ctx->saved_data["apart"] = apart;
    const auto y = at::empty({X.size(0), total}, x.options());
    variable_list saved = {x};
    if (apart) {
      multiply_apart(y, X, weights, biases, adapters, *infos);
      saved.insert(saved.end(), weights.begin(), weights.end());
    } else {
      const auto folded = fold(weights, adapters, *infos);
      product_into(y, X, folded, biases.size() == 1 ? biases[0] : at::cat(biases));
      saved.push_back(folded);
    }
    saved.insert(saved.end(), adapters.begin(), adapters.end());
    ctx->save_for_backward(std::move(saved));
    auto sizes = x.sizes().vec();
    sizes.back() = total;
    return y.view(sizes);
  }

  static void multiply_apart(const at::Tensor& y, const at::Tensor& X, at::TensorList weights,
                             at::TensorList biases, at::TensorList adapters,
                             const std::vector<LayerInfo>& infos) {
    std::int64_t row = 0;
    std::size_t next = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto part = y.narrow(1, row, weights[i].size(0));
      product_into(part, X, weights[i], biases[i]);
      if (infos[i].adapted) {
        add_product(part, product_of(X, adapters[next]).mul_(infos[i].scale), adapters[next + 1]);
        next += 2;
      }
      row += weights[i].size(0);
    }
  }

  static std::vector<Layer> layers_of(AutogradContext* ctx, const variable_list& saved) {
    const auto adapted = ctx->saved_data["adapted"].toBoolList();
    const auto scales = ctx->saved_data["scales"].toDoubleList();
    const auto outs = ctx->saved_data["outs"].toIntList();
    const bool apart = ctx->saved_data["apart"].toBool();
    std::vector<Layer> layers(outs.size());
    std::size_t next = 1 + (apart ? outs.size() : 1);
    std::int64_t row = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      auto& layer = layers[i];
      if (apart) layer.weight = saved[1 + i];
      if (adapted[i]) {
        layer.a = saved[next++];
        layer.b = saved[next++];
      }
      layer.scale = scales[i];
      layer.row = row;
      layer.out = static_cast<std::int64_t>(outs[i]);
      row += layer.out;
    }
    return layers;
  }

  static at::Tensor input_grad(const std::vector<Layer>& layers, const at::Tensor& folded,
                               const at::Tensor& g) {
    if (!layers.front().weight.defined()) return product_of(g, folded.t());
    const auto g_x = at::empty({g.size(0), layers.front().weight.size(1)}, g.options());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto& layer = layers[i];
      const auto part = g.narrow(1, layer.row, layer.out);
      i == 0 ? product_into(g_x, part, layer.weight.t()) : add_product(g_x, part, layer.weight.t());
      if (layer.a.defined())
        add_product(g_x, product_of(part, layer.b.t()).mul_(layer.scale), layer.a.t());
    }
    return g_x;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto layers = layers_of(ctx, saved);
    const auto& x = saved[0];
    const auto X = rows_of(x);         // [N, in]
    const auto g = rows_of(grads[0]);  // [N, sum of out]
    const auto count = layers.size();
    variable_list results(1 + 2 * count + 1);
    if (ctx->needs_input_grad(0)) results[0] = input_grad(layers, saved[1], g).view(x.sizes());
    at::Tensor g_weights;  // [sum of out, in], made once if any layer wants it
    const auto weight_grad = [&](const Layer& layer) {
      if (!g_weights.defined()) g_weights = product_of(g.t(), X.t());
      return g_weights.narrow(0, layer.row, layer.out);
    };
    std::size_t place = 1 + 2 * count;  // of the next adapter's gradients
    for (std::size_t i = 0; i < count; ++i) {
      const auto& layer = layers[i];
      if (ctx->needs_input_grad(1 + i)) results[1 + i] = weight_grad(layer);
      if (ctx->needs_input_grad(1 + count + i)) {
        results[1 + count + i] = g.narrow(1, layer.row, layer.out).sum(0);
      }
      if (!layer.a.defined()) continue;
      results.insert(results.end() - 1, 2, at::Tensor());
      if (ctx->needs_input_grad(place) || ctx->needs_input_grad(place + 1)) {
        const auto in = X.size(1), rank = layer.a.size(0);
        const bool low_rank = !g_weights.defined() && 2 * rank * (in + layer.out) < in * layer.out;
        if (low_rank) {
          const auto g_out = g.narrow(1, layer.row, layer.out);                 // [N, out]
          const auto g_low = product_of(g_out, layer.b.t()).mul_(layer.scale);  // [N, rank]
          const auto low = product_of(X, layer.a).mul_(layer.scale);            // [N, rank]
          results[place] = product_of(g_low.t(), X.t());
          results[place + 1] = product_of(g_out.t(), low.t());
        } else {
          const auto g_weight = weight_grad(layer);  // [out, in]
          results[place] = product_of(layer.b.t(), g_weight.t()).mul_(layer.scale);
          results[place + 1] = product_of(g_weight, layer.a).mul_(layer.scale);
        }
      }
      place += 2;
    }
    return results;
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x, std::initializer_list<const WanLinear*> layers) {
  std::vector<at::Tensor> weights, biases, adapters;
  std::vector<LayerInfo> infos;
  for (const auto* layer : layers) {
    weights.push_back(layer->weight);
    biases.push_back(layer->bias);
    infos.push_back({layer->lora != nullptr, 0});
    if (layer->lora != nullptr) {
      const auto& adapter = layer->lora->adapters()[layer->adapter];
      adapters.push_back(adapter.a);
      adapters.push_back(adapter.b);
      infos.back().scale = layer->lora->scale();
    }
  }
  return Linear::apply(x, at::TensorList(weights), at::TensorList(biases), at::TensorList(adapters),
                       &infos);
}

}  // namespace svi::wan::fused
