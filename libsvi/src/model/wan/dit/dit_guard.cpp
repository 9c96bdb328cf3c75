#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/wan/dit/block.hpp"
#include "model/wan/dit/dit_parts.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

bool all_finite(const at::Tensor& x) {
  if (!x.defined() || x.numel() == 0) return true;
  // fp8 knows no arithmetic of its own.
  const auto wide = c10::elementSize(x.scalar_type()) < 2 ? x.to(at::kFloat) : x;
  return at::isfinite(wide).all().item<bool>();
}

// Weights and adapters that hold NaN or Inf, the first few by name.
std::string bad_weights(const WanDitParts& parts) {
  constexpr int kNamed = 3;
  std::string names;
  int found = 0;
  const auto visit = [&](const std::string& name, const at::Tensor& weight) {
    if (all_finite(weight)) return;
    if (++found <= kNamed) names += (names.empty() ? "" : ", ") + name;
  };
  visit_weights(parts, visit);
  if (parts.lora) {
    for (const auto& adapter : parts.lora->adapters()) {
      visit("the adapter of " + adapter.layer.name + " (A)", adapter.a);
      visit("the adapter of " + adapter.layer.name + " (B)", adapter.b);
    }
  }
  for (const auto& extension : parts.extensions) {
    for (const auto& [name, tensor] : extension->parameters())
      visit(name + " of the extension " + extension->label(), tensor);
  }
  if (found > kNamed) names += " and " + std::to_string(found - kNamed) + " more";
  return names;
}

}  // namespace

void wan::FiniteProbe::see(const std::string& part, const at::Tensor& output) {
  if (first_bad.empty() && !all_finite(output)) first_bad = part;
}

std::string WanDit::first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                                     const Condition& condition) const {
  const c10::NoGradGuard no_grad;
  wan::FiniteProbe probe;
  probe.see("the noisy latent, before the model", noisy);
  probe.see("the timestep, before the model", timestep);
  for (const auto& name : condition.names())
    probe.see("condition." + name + ", before the model", condition[name]);
  if (probe.first_bad.empty()) wan::forward(*parts_, noisy, timestep, condition, &probe);
  const auto weights = bad_weights(*parts_);
  if (probe.first_bad.empty() && weights.empty()) return {};
  auto text =
      "first in " + (probe.first_bad.empty() ? "no part of a second pass" : probe.first_bad);
  if (!weights.empty()) text += "; weights that are not finite: " + weights;
  return text;
}

}  // namespace svi
