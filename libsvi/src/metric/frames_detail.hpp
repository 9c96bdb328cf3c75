#pragma once

#include <limits>
#include <vector>

namespace svi::detail {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Mean of the values; NaN if there are none.
inline double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? kNan : sum / static_cast<double>(values.size());
}

}  // namespace svi::detail
