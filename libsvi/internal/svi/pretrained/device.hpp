#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

enum class DeviceChoice { automatic, cpu, cuda };  // `auto` takes a GPU if there is one
inline std::vector<std::string> enum_names(DeviceChoice) { return {"auto", "cpu", "cuda"}; }

/// The device a run asks for; loads LibTorch's CUDA library first where a GPU may be there. Throws
/// ConfigError if a GPU is demanded and none is seen.
SVI_EXPORT at::Device choose_device(DeviceChoice choice);

/// Free bytes of a GPU, what LibTorch's allocator holds but does not use included.
SVI_EXPORT std::int64_t free_device_memory(const at::Device& device);

}  // namespace svi
