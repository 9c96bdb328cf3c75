#include "encoder/weight_table.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <unordered_set>

#include "svi/core/check.hpp"

namespace svi {

WeightTable::WeightTable(const Shapes& shapes) {
  for (const auto& [name, shape] : shapes) {
    index_.emplace(name, weights_.size());
    weights_.emplace_back(name, at::empty(shape, at::TensorOptions(at::kMeta).dtype(at::kFloat)));
  }
}

LoadReport WeightTable::adopt(const NamedTensors& weights, const std::string& origin,
                              const std::function<bool(const std::string&)>& skip) {
  NamedTensors wanted;
  std::copy_if(weights.begin(), weights.end(), std::back_inserter(wanted),
               [&](const auto& named) { return !skip || !skip(named.first); });
  auto report = match(weights_, wanted);
  if (!report.complete()) {
    raise<IoError>(origin, ": these weights do not fit the model: ", report.text(),
                   "\nCheck that the file and the model belong together.");
  }
  for (auto& [name, tensor] : wanted) weights_[index_.at(name)].second = tensor.detach();
  return report;
}

void WeightTable::to(const at::Device& device, at::ScalarType dtype) {
  for (auto& [name, weight] : weights_) weight = weight.to(device, dtype);
}

const at::Tensor& WeightTable::operator[](const std::string& name) const {
  const auto found = index_.find(name);
  SVI_CHECK(found != index_.end(), "no weight ", name);
  return weights_[found->second].second;
}

std::int64_t size_in(const NamedTensors& weights, const std::string& name, std::int64_t dim,
                     const char* model) {
  for (const auto& [key, tensor] : weights) {
    if (key != name) continue;
    if (dim < tensor.dim()) return tensor.size(dim);
    raise<IoError>("not the weights of ", model, ": ", name, " is ", tensor.sizes());
  }
  raise<IoError>("not the weights of ", model, ": ", name, " is missing");
}

std::int64_t count_layers(const NamedTensors& weights, const std::string& prefix,
                          const std::string& suffix) {
  std::unordered_set<std::string> names;
  for (const auto& [name, tensor] : weights) names.insert(name);
  std::int64_t count = 0;
  while (names.contains(cat(prefix, count, suffix))) ++count;
  return count;
}

}  // namespace svi
