#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "svi/core/check.hpp"

namespace svi {

/// The sizes of a tensor that must have N dimensions: `const auto [B, C, F, h, w] = dims<5>(x, "x
/// [B, C, F, h, w]");` Throws svi::Error with the expected form and the actual sizes.
template <std::size_t N>
std::array<std::int64_t, N> dims(const at::Tensor& tensor, std::string_view form) {
  SVI_CHECK(tensor.defined(), form, " is missing");
  SVI_CHECK(tensor.dim() == static_cast<std::int64_t>(N), "expected ", form, ", got ",
            tensor.sizes());
  std::array<std::int64_t, N> sizes;
  for (std::size_t i = 0; i < N; ++i) sizes[i] = tensor.size(static_cast<std::int64_t>(i));
  return sizes;
}

}  // namespace svi
