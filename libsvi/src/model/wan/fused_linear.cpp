#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "model/wan/fused.hpp"
#include "svi/model/lora.hpp"

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

// Inputs in this order: x; each weight; each bias; A and B of each adapted layer.
struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, at::TensorList weights,
                            at::TensorList biases, at::TensorList adapters,
                            const std::vector<LayerInfo>* infos) {
    const auto folded = fold(weights, adapters, *infos);
    const auto bias = biases.size() == 1 ? biases[0] : at::cat(biases);
    auto sizes = x.sizes().vec();
    sizes.back() = folded.size(0);
    c10::List<bool> adapted;
    c10::List<double> scales;
    c10::List<std::int64_t> outs;
    for (std::size_t i = 0; i < infos->size(); ++i) {
      adapted.push_back((*infos)[i].adapted);
      scales.push_back((*infos)[i].scale);
      outs.push_back(weights[i].size(0));
    }
    ctx->saved_data["adapted"] = adapted;
    ctx->saved_data["scales"] = scales;
    ctx->saved_data["outs"] = outs;
    variable_list saved = {x, folded};
    saved.insert(saved.end(), adapters.begin(), adapters.end());
    ctx->save_for_backward(std::move(saved));
    return at::addmm(bias, rows_of(x), folded.t()).view(sizes);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto& x = saved[0];
    const auto adapted = ctx->saved_data["adapted"].toBoolList();
    const auto scales = ctx->saved_data["scales"].toDoubleList();
    const auto outs = ctx->saved_data["outs"].toIntList();
    const auto layers = outs.size();
    const auto X = rows_of(x);         // [N, in]
    const auto g = rows_of(grads[0]);  // [N, sum of out]
    variable_list results(1 + 2 * layers + (saved.size() - 2) + 1);
    if (ctx->needs_input_grad(0)) results[0] = g.mm(saved[1]).view(x.sizes());
    at::Tensor g_weights;  // [sum of out, in], made once if any layer wants it
    const auto weight_grad = [&](std::int64_t row, std::int64_t out) {
      if (!g_weights.defined()) g_weights = g.t().mm(X);
      return g_weights.narrow(0, row, out);
    };
    std::int64_t row = 0;
    std::size_t next = 0;
    for (std::size_t i = 0; i < layers; ++i) {
      const auto out = static_cast<std::int64_t>(outs[i]);
      if (ctx->needs_input_grad(1 + i)) results[1 + i] = weight_grad(row, out);
      if (ctx->needs_input_grad(1 + layers + i)) {
        results[1 + layers + i] = g.narrow(1, row, out).sum(0);
      }
      if (adapted[i]) {
        const auto place = 1 + 2 * layers + next;
        if (ctx->needs_input_grad(place) || ctx->needs_input_grad(place + 1)) {
          const auto& a = saved[2 + next];
          const auto& b = saved[3 + next];
          const auto in = X.size(1), rank = a.size(0);
          const bool low_rank = !g_weights.defined() && 2 * rank * (in + out) < in * out;
          if (low_rank) {
            const auto g_out = g.narrow(1, row, out);  // [N, out]
            results[place] = g_out.mm(b).mul_(scales[i]).t().mm(X);
            results[place + 1] = g_out.t().mm(X.mm(a.t()).mul_(scales[i]));
          } else {
            const auto g_weight = weight_grad(row, out);  // [out, in]
            results[place] = b.t().mm(g_weight).mul_(scales[i]);
            results[place + 1] = g_weight.mm(a.t()).mul_(scales[i]);
          }
        }
        next += 2;
      }
      row += out;
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
