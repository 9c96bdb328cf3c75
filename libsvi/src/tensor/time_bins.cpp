#include "svi/tensor/time_bins.hpp"

#include <algorithm>
#include <cmath>

#include "svi/core/check.hpp"

namespace svi {

TimeBins::TimeBins(std::int64_t count, double shift) {
  SVI_CHECK(count >= 1 && shift > 0, "bins ", count, ", shift ", shift);
  for (std::int64_t i = 0; i < count; ++i) {
    const double u = 1 - static_cast<double>(i) / static_cast<double>(count);
    centres_.push_back(shift * u / (1 + (shift - 1) * u));
  }
}

std::int64_t TimeBins::bin(double sigma) const {
  SVI_CHECK(sigma >= 0 && sigma <= 1, "sigma ", sigma, " is outside [0, 1]");
  const double clamped = std::min(sigma, 0.999);
  // First centre at or below sigma; the nearest is that one or the one before.
  const auto below = std::lower_bound(centres_.begin(), centres_.end(), clamped, std::greater<>());
  if (below == centres_.begin()) return 0;
  if (below == centres_.end()) return count() - 1;
  const auto index = below - centres_.begin();
  return *(below - 1) - clamped <= clamped - *below ? index - 1 : index;
}

}  // namespace svi
