#include "model/wan/dit/recompute.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <utility>

namespace svi::wan {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Held : torch::CustomClassHolder {
  explicit Held(Body held) : body(std::move(held)) {}
  Body body;
};

struct Recompute : torch::autograd::Function<Recompute> {
  // `anchor` is a leaf that requires a gradient: without it, a body whose only parameters are
  // captured would have no place in the graph.
  static variable_list forward(AutogradContext* ctx, const at::Tensor& /*anchor*/,
                               at::TensorList inputs, const Body* body) {
    ctx->saved_data["body"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(*body));
    ctx->save_for_backward(inputs.vec());
    return (*body)(inputs.vec());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const auto capsule = ctx->saved_data["body"].toCapsule();
    const auto& body = static_cast<const Held&>(*capsule).body;
    variable_list inputs = ctx->get_saved_variables();
    for (auto& input : inputs) {
      if (!input.defined()) continue;
      const bool wanted = input.requires_grad();
      input = input.detach();  // its own leaf: the rest of the graph is not this call's business
      input.set_requires_grad(wanted);
    }
    variable_list reached, with;
    {
      const c10::AutoGradMode recording(true);
      const auto outputs = body(inputs);
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (!outputs[i].requires_grad() || !gradients[i].defined()) continue;
        reached.push_back(outputs[i]);
        with.push_back(gradients[i]);
      }
    }
    if (!reached.empty()) torch::autograd::backward(reached, with);
    variable_list results(1);  // none for the anchor
    for (const auto& input : inputs) {
      results.push_back(input.defined() ? input.grad() : at::Tensor());
    }
    results.emplace_back();  // none for the body
    return results;
  }
};

}  // namespace

std::vector<at::Tensor> recomputed(const Body& body, const std::vector<at::Tensor>& inputs) {
  if (!c10::GradMode::is_enabled()) return body(inputs);
  // A place in the graph needs a tensor: undefined inputs go around it.
  std::vector<at::Tensor> defined;
  std::vector<bool> there;
  for (const auto& input : inputs) {
    there.push_back(input.defined());
    if (input.defined()) defined.push_back(input);
  }
  const Body spread = [body, there](const std::vector<at::Tensor>& given) {
    std::vector<at::Tensor> all;
    auto next = given.begin();
    for (const bool one : there) all.push_back(one ? *next++ : at::Tensor());
    return body(all);
  };
  const auto anchor = at::zeros({}, at::kFloat).set_requires_grad(true);
  return Recompute::apply(anchor, at::TensorList(defined), &spread);
}

}  // namespace svi::wan
