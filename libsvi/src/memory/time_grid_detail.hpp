#pragma once

#include <cstdint>

#include "memory/nearest_detail.hpp"
#include "svi/memory/time_grid.hpp"

namespace svi {

/// One stored error with what the bank caches about it.
struct TimeGridBank::Entry {
  BankedError error;          // tensors contiguous, on the CPU, in the storage dtype
  std::int64_t order = 0;     // of arrival
  double rms = 0;             // of the residual
  double data_rms = 0;        // of the error at the data end
  detail::Fingerprint print;  // of the residual; its sketch only where eviction = nearest
};

}  // namespace svi
