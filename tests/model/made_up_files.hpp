#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/key_maps.hpp"

namespace svi::testing {

/// "accepted", or the message of the refusal.
template <class Action>
std::string refused_with(const Action& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.what();
  }
  return "accepted";
}

/// The smallest transformer that is told by its names.
inline NamedTensors some_dit(double value) {
  return {{"time_projection.1.weight", at::full({2, 2}, value)},
          {"blocks.0.ffn.0.weight", at::full({2, 2}, value)},
          {"blocks.0.norm3.weight", at::full({2}, value)}};
}

inline NamedTensors under(const std::string& nest, const NamedTensors& tensors) {
  NamedTensors nested;
  for (const auto& [name, tensor] : tensors) nested.emplace_back(nest + name, tensor);
  return nested;
}

inline NamedTensors joined(NamedTensors one, const NamedTensors& two) {
  one.insert(one.end(), two.begin(), two.end());
  return one;
}

inline OfficialWeights read(const NamedTensors& tensors, const std::string& copy = {},
                            std::optional<WeightKind> kind = WeightKind::dit) {
  WeightFiles files;
  files.tensors = tensors;
  return read_official(files, "file.pth", kind, copy);
}

inline void expect_equal(const NamedTensors& found, const NamedTensors& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    const auto other = find(found, name);
    ASSERT_TRUE(other.defined()) << name;
    EXPECT_TRUE(at::equal(other, tensor)) << name;
  }
}

}  // namespace svi::testing
