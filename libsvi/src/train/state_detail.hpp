#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "svi/core/check.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi::detail {

/// Finds the tensors of a checkpoint, naming what is missing or misshapen.
class StateReader {
 public:
  explicit StateReader(const NamedTensors& state) : tensors_(state.begin(), state.end()) {}

  bool has(const std::string& name) const { return tensors_.contains(name); }

  const at::Tensor& get(const std::string& name, at::IntArrayRef sizes) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) raise<IoError>("the checkpoint has no tensor '", name, "'");
    if (found->second.sizes() != sizes) {
      raise<IoError>("the checkpoint's '", name, "' has sizes ", found->second.sizes(),
                     ", expected ", sizes, ": was it made with other options?");
    }
    return found->second;
  }

 private:
  std::map<std::string, at::Tensor> tensors_;
};

/// The tensors whose names begin with `prefix`, without it.
inline NamedTensors with_prefix(const NamedTensors& state, const std::string& prefix) {
  NamedTensors found;
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(prefix)) found.emplace_back(name.substr(prefix.size()), tensor);
  }
  return found;
}

}  // namespace svi::detail
