#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "svi/tensor/named_tensors.hpp"

namespace svi::testing {

/// Values in [-1, 1) that depend on name and place alone, exact in fp32; the same as `hashed` of
/// hashed_weights.py, so that networks of any size can be compared without a file of weights.
inline at::Tensor hashed(const std::string& name, at::IntArrayRef sizes) {
  std::uint64_t key = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char letter : name)
    key = (key ^ static_cast<unsigned char>(letter)) * 0x100000001b3ULL;
  auto values = at::empty(sizes, at::kFloat);
  auto* out = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    auto z = key + static_cast<std::uint64_t>(i + 1) * 0x9e3779b97f4a7c15ULL;  // SplitMix64
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    out[i] = static_cast<float>(static_cast<double>(z >> 40) / 8388608.0 - 1.0);
  }
  return values;
}

/// Weights that keep the size of what passes through: matrices and kernels are scaled by
/// sqrt(3 / fan-in), gains (.weight of one axis) lie around 1, variances around 1, the rest is
/// small. The same as `hashed_weight` of hashed_weights.py.
inline at::Tensor hashed_weight(const std::string& name, at::IntArrayRef sizes) {
  const auto values = hashed(name, sizes);
  if (name.ends_with("running_var")) return values * 0.5F + 1.0F;
  if (sizes.size() >= 2) {
    std::int64_t inputs = 1;
    for (const auto size : sizes.slice(1)) inputs *= size;
    return values * static_cast<float>(std::sqrt(3.0 / static_cast<double>(inputs)));
  }
  return name.ends_with("weight") ? values * 0.2F + 1.0F : values * 0.1F;
}

inline NamedTensors hashed_weights(
    const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& shapes) {
  NamedTensors weights;
  for (const auto& [name, sizes] : shapes) weights.emplace_back(name, hashed_weight(name, sizes));
  return weights;
}

}  // namespace svi::testing
