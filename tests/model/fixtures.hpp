#pragma once

#include <ATen/ATen.h>

#include <string>

#include "svi/io/safetensors.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi::testing {

/// A file of tests/data/model, written by make_fixtures.py.
class Fixture {
 public:
  explicit Fixture(const std::string& name)
      : file_(SafetensorsFile::open(std::string(SVI_SOURCE_DIR) + "/tests/data/model/" + name +
                                    ".safetensors")) {}

  bool has(const std::string& name) const { return file_.contains(name); }
  /// The tensor, or an undefined one.
  at::Tensor operator()(const std::string& name) const {
    return has(name) ? file_.load(name).clone() : at::Tensor();
  }
  /// All tensors under `prefix`, which is removed.
  NamedTensors group(const std::string& prefix) const {
    NamedTensors found;
    for (const auto& [name, tensor] : file_.load_all()) {
      if (name.starts_with(prefix)) found.emplace_back(name.substr(prefix.size()), tensor.clone());
    }
    return found;
  }
  std::int64_t heads() const { return std::stoll(file_.metadata().at("heads")); }

 private:
  SafetensorsFile file_;
};

/// max |a - b| / max |b|.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

inline at::Tensor find(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  return {};
}

}  // namespace svi::testing
