#pragma once

#include <ATen/core/Tensor.h>

#include "svi/core/export.hpp"
#include "svi/core/random.hpp"

namespace svi {

/// N(0, 1) in fp32 of the given sizes, always drawn on the CPU so that every device sees the same
/// numbers.
SVI_EXPORT at::Tensor normal(const RandomKey& key, at::IntArrayRef sizes);

}  // namespace svi
