#pragma once

#include <ATen/ATen.h>

#include <string>

#include "svi/io/safetensors.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi::testing {

/// A file of tests/data/encoder, written by make_fixtures.py.
class EncoderFixture {
 public:
  explicit EncoderFixture(const std::string& name)
      : file_(SafetensorsFile::open(std::string(SVI_SOURCE_DIR) + "/tests/data/encoder/" + name +
                                    ".safetensors")) {}

  at::Tensor operator()(const std::string& name) const { return file_.load(name); }
  NamedTensors weights() const {
    NamedTensors found;
    for (const auto& [name, tensor] : file_.load_all()) {
      if (name.starts_with("weights.")) found.emplace_back(name.substr(8), tensor);
    }
    return found;
  }

 private:
  SafetensorsFile file_;
};

/// max |a - b| / max |b|.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kFloat) - b).abs().max() / b.abs().max()).item<double>();
}

inline NamedTensors without(NamedTensors tensors, const std::string& name) {
  std::erase_if(tensors, [&](const auto& named) { return named.first == name; });
  return tensors;
}

}  // namespace svi::testing
