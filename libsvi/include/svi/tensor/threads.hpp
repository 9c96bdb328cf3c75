#pragma once

#include <cstdint>
#include <functional>

#include "svi/core/export.hpp"

namespace svi {

/// Calls `body(first, last)` over parts of [begin, end), of `grain` items at least, on as many
/// threads as LibTorch has for one operation; on the caller's alone within such a part.
///
/// at::parallel_for for files that are compiled without OpenMP, as nearly all are: there its own
/// template runs on one thread and says nothing. So does this in a library built by another
/// compiler than g++. Throws what `body` throws.
SVI_EXPORT void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain,
                             const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace svi
