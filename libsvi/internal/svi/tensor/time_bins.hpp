#pragma once

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Flow time cut into bins around the sigmas a sampler of `count` steps visits.
///
/// Bin i is centred at s u / (1 + (s - 1) u) with u = 1 - i / count and s = shift: bin 0 is the
/// noisiest. A sigma belongs to the nearest centre, after timesteps above 999 were brought down to
/// 999 (reference).
class SVI_EXPORT TimeBins {
 public:
  TimeBins(std::int64_t count, double shift);  // count >= 1, shift > 0

  std::int64_t count() const { return static_cast<std::int64_t>(centres_.size()); }  // G
  /// Bin of a flow time in [0, 1].
  std::int64_t bin(double sigma) const;
  /// The middle of a bin: a flow time in [0, 1].
  double centre(std::int64_t bin) const { return centres_[static_cast<std::size_t>(bin)]; }

 private:
  std::vector<double> centres_;  // [G]  descending
};

}  // namespace svi
