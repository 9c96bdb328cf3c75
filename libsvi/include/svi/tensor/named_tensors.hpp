#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace svi {

/// Tensors with their names, in a fixed order: a checkpoint's content, a model's weights, a state
/// to save.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

}  // namespace svi
