#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "svi/core/export.hpp"

namespace svi {

/// Whether a velocity without gradients goes through the lean blocks, which need the least memory:
/// on the CPU, in fp32 and bf16. The forecast of memory asks this, too.
SVI_EXPORT bool takes_lean_blocks(at::DeviceType device, at::ScalarType dtype);

/// Whether those blocks attend to heads of this size by our own loops, which need no memory but
/// keys and values in panels; LibTorch's attention does the rest.
SVI_EXPORT bool attends_in_panels(std::int64_t head_dim);

}  // namespace svi
