#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

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
  /// Of the errors at both ends, [2 C, F, h, w]; only where eviction = nearest and there are
  /// offsets
  std::optional<detail::Fingerprint> both;
  std::vector<std::shared_ptr<const void>> rooms;  // in a shared memory
  std::int64_t own_bytes = 0;                      // of its tensors, allocated by this rank

  bool has_offsets() const { return error.data_offset.defined() || error.noise_offset.defined(); }
};

}  // namespace svi
