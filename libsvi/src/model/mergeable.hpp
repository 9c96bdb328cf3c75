#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "svi/core/check.hpp"

namespace svi {

/// Throws ConfigError where an adapter can't be added to a weight for good.
inline void check_mergeable(const std::string& name, const at::Tensor& weight) {
  if (weight.element_size() > 1) return;
  raise<ConfigError>(name,
                     " is kept in 8 bits, which would round an adapter away: merge it into "
                     "weights of more bits, or attach it");
}

}  // namespace svi
