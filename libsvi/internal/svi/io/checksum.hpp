#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// SHA-256 of tensors with their names, dtypes and shapes, whatever their order, and of `facts`
/// about them: what files keep to notice that a bit has changed since they were written.
SVI_EXPORT std::string checksum(const NamedTensors& tensors, const std::string& facts = {});

}  // namespace svi
