#include "svi/model/weights.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/GradMode.h>

#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::size_t kShown = 12;  // names per list; a wrong file can differ in a thousand

void list(std::ostringstream& out, std::string_view what, const std::vector<std::string>& names) {
  if (names.empty()) return;
  out << "\n  " << what << " (" << names.size() << "):";
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i) out << "\n    " << names[i];
  if (names.size() > kShown) out << "\n    ... and " << names.size() - kShown << " more";
}

}  // namespace

std::string LoadReport::text() const {
  std::ostringstream out;
  out << loaded.size() << " tensors match";
  list(out, "missing", missing);
  list(out, "unexpected", unexpected);
  list(out, "of another shape", mismatched);
  return out.str();
}

LoadReport match(const NamedTensors& parameters, const NamedTensors& weights) {
  std::unordered_map<std::string_view, const at::Tensor*> given;
  for (const auto& [name, tensor] : weights) given.emplace(name, &tensor);
  LoadReport report;
  std::unordered_set<std::string_view> known;
  for (const auto& [name, parameter] : parameters) {
    known.insert(name);
    const auto found = given.find(name);
    if (found == given.end()) {
      report.missing.push_back(name);
    } else if (found->second->sizes() != parameter.sizes()) {
      report.mismatched.push_back(
          cat(name, ": model ", parameter.sizes(), ", weights ", found->second->sizes()));
    } else {
      report.loaded.push_back(name);
    }
  }
  for (const auto& [name, tensor] : weights) {
    if (!known.contains(name)) report.unexpected.push_back(name);
  }
  return report;
}

LoadReport load_strict(const NamedTensors& parameters, const NamedTensors& weights,
                       const std::string& origin, bool allow_missing) {
  auto report = match(parameters, weights);
  const bool refused = !report.unexpected.empty() || !report.mismatched.empty() ||
                       (!allow_missing && !report.missing.empty());
  if (refused) {
    raise<IoError>(origin, ": these weights do not fit the model: ", report.text(),
                   "\nCheck that the file and the model's sizes belong together.");
  }
  std::unordered_map<std::string_view, const at::Tensor*> given;
  for (const auto& [name, tensor] : weights) given.emplace(name, &tensor);
  const c10::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters) {
    if (const auto found = given.find(name); found != given.end()) {
      parameter.copy_(*found->second);
    }
  }
  return report;
}

}  // namespace svi
