#pragma once

#include <cstdint>

namespace svi {

inline constexpr std::int64_t kFp32 = 4;
inline constexpr std::int64_t kMiB = std::int64_t{1} << 20;
// Workspaces of cuBLAS and cuDNN, which choose their algorithms by what is free.
inline constexpr std::int64_t kGpuLibrary = 512 * kMiB;

}  // namespace svi
