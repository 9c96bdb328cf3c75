#pragma once

#include <ATen/core/Tensor.h>

#include "svi/core/export.hpp"

namespace svi::detail {

/// A private, contiguous copy on the CPU in the dtype given; undefined for an undefined tensor.
/// Large ones lie in large pages where the system has them, which speeds up reading a whole bin by
/// half.
SVI_EXPORT at::Tensor stored_copy(const at::Tensor& tensor, at::ScalarType dtype);

}  // namespace svi::detail
