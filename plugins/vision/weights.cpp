#include "vision/weights.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"

namespace svi::vision {

Weights::Weights(NamedTensors stored, std::string origin, at::Device device)
    : origin_(std::move(origin)), device_(device) {
  for (auto& [name, tensor] : stored) stored_.emplace(name, tensor);
}

Weights Weights::open(const std::string& path, at::Device device) {
  return Weights(open_weights(path), path, device);
}

at::Tensor Weights::take(const std::string& name, at::IntArrayRef sizes) {
  const auto found = stored_.find(name);
  if (found != stored_.end() && found->second.sizes() != sizes) {
    raise<IoError>(origin_, ": ", name, " is ", found->second.sizes(), " instead of ", sizes,
                   "; the file is of another network");
  }
  return take(name);
}

at::Tensor Weights::take(const std::string& name) {
  const auto found = stored_.find(name);
  if (found == stored_.end())
    raise<IoError>(origin_, ": ", name, " is missing; the file is of another network");
  const auto tensor = found->second.to(device_, at::kFloat);
  stored_.erase(found);
  return tensor;
}

std::int64_t Weights::size(const std::string& name, std::int64_t dim) const {
  const auto found = stored_.find(name);
  if (found == stored_.end())
    raise<IoError>(origin_, ": ", name, " is missing; the file is of another network");
  if (dim >= found->second.dim()) {
    raise<IoError>(origin_, ": ", name, " is ", found->second.sizes(),
                   "; the file is of another network");
  }
  return found->second.size(dim);
}

std::int64_t Weights::count(const std::string& prefix, const std::string& suffix) const {
  std::int64_t number = 0;
  while (has(cat(prefix, number, suffix))) ++number;
  return number;
}

void Weights::rename(const std::function<std::string(const std::string&)>& to) {
  std::unordered_map<std::string, at::Tensor> renamed;
  for (auto& [name, tensor] : stored_) {
    const auto other = to(name);
    if (other.empty()) continue;
    if (!renamed.emplace(other, tensor).second)
      raise<IoError>(origin_, ": holds ", other, " twice, once as ", name);
  }
  stored_ = std::move(renamed);
}

void Weights::finish() const {
  if (stored_.empty()) return;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : stored_) names.push_back(name);
  std::sort(names.begin(), names.end());
  const auto count = names.size();
  names.resize(std::min<std::size_t>(count, 5));
  raise<IoError>(origin_, ": ", count, " tensors have no place in the network: ", join(names),
                 count > names.size() ? ", ..." : "", "; the file is of another network");
}

}  // namespace svi::vision
