#pragma once

#include <cstdint>

#include "svi/core/export.hpp"

namespace svi {

/// Resident memory of this process at its highest since construction. Where the kernel does not
/// let the mark be set back, it is the highest since the process began. Meters of one process set
/// back the same mark, so use one at a time.
class SVI_EXPORT PeakMemory {
 public:
  PeakMemory();

  /// 0 where the kernel does not tell.
  static std::int64_t bytes();
};

}  // namespace svi
