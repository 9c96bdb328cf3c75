#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Weights of an encoder by their official names: the list of names and shapes is the model.
class WeightTable {
 public:
  using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

  /// Names and shapes alone (`meta`), until weights are adopted.
  explicit WeightTable(const Shapes& shapes);

  /// Takes these tensors themselves, whatever their dtype; `skip` names those of the file that have
  /// no place here. Throws IoError naming `origin` where names or shapes differ.
  LoadReport adopt(const NamedTensors& weights, const std::string& origin,
                   const std::function<bool(const std::string&)>& skip = {});
  /// Moves and converts every weight.
  void to(const at::Device& device, at::ScalarType dtype);

  const NamedTensors& all() const { return weights_; }
  const at::Tensor& operator[](const std::string& name) const;

 private:
  NamedTensors weights_;
  std::unordered_map<std::string, std::size_t> index_;
};

/// The size of one dimension of a named tensor; throws IoError where name or dimension is missing.
std::int64_t size_in(const NamedTensors& weights, const std::string& name, std::int64_t dim,
                     const char* model);

/// How many i there are with a tensor "<prefix><i><suffix>", counted from 0.
std::int64_t count_layers(const NamedTensors& weights, const std::string& prefix,
                          const std::string& suffix);

}  // namespace svi
