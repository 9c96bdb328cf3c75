#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/model/wan/dit.hpp"

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

/// A transformer of two blocks with an image part and made-up weights, always the same; latents
/// come with `in_dim` channels.
inline std::unique_ptr<WanDit> two_blocks(std::int64_t in_dim) {
  WanDitConfig config;
  config.in_dim = in_dim;
  config.out_dim = 4;
  config.dim = 32;
  config.ffn_dim = 64;
  config.freq_dim = 16;
  config.text_dim = 12;
  config.text_len = 0;
  config.heads = 4;
  config.layers = 2;
  config.image_dim = 16;
  auto dit = std::make_unique<WanDit>(config);
  at::manual_seed(1);
  const at::NoGradGuard no_grad;
  for (auto& [name, weight] : dit->parameters()) weight.normal_(0, 0.2);
  return dit;
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
