#pragma once

#include <map>
#include <string>
#include <vector>

#include "svi/model/key_maps.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

struct Renamed {
  NamedTensors tensors;                      // by official names
  std::map<std::string, std::string> names;  // theirs -> official
  std::vector<std::string> unused;           // of the whole model, but not of this network
};

/// Tensors by the names of diffusers or transformers as the official ones. Throws IoError naming
/// `origin` and each name without a counterpart.
Renamed official_names(const NamedTensors& weights, WeightKind kind, const std::string& origin);

}  // namespace svi
