#pragma once

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Change per clip of a quantity given clip by clip: the median slope over all pairs of clips
/// (Theil 1950, Sen 1968), which a few wild clips cannot move. NaNs are left out; NaN with fewer
/// than two values.
SVI_EXPORT double robust_slope(const std::vector<double>& values);

/// robust_slope() as a share of the level at the first clip (the median of value minus slope times
/// index). NaN where that level is 0.
SVI_EXPORT double relative_slope(const std::vector<double>& values);

/// A mean and the interval that resampling gives it.
struct Interval {
  double mean = 0, low = 0, high = 0;  // of the statistic; ends of the interval
  std::int64_t count = 0;              // values used
};

/// Percentile bootstrap of the mean (Efron 1979), 95 %: a function of values and seed alone. NaNs
/// are left out; all NaN where nothing remains.
SVI_EXPORT Interval bootstrap_interval(const std::vector<double>& values, std::uint64_t seed,
                                       std::int64_t resamples = 2000);

}  // namespace svi
