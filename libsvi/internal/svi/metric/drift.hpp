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

/// Means of a film's values, frame by frame, over each of its seconds; NaNs are left out. A last
/// second of less than half its frames belongs to the one before. Empty where fps is not above 0.
SVI_EXPORT std::vector<double> per_second(const std::vector<double>& frames, double fps);

/// Video Drift Error of a film's values in order, lower is better: the series is cut into
/// `segments` equal parts (what is left over is dropped) with means m_1, m_2, ..., and
///
///     VDE = sum over i = 2 ... N of (N - i + 1) |m_i - m_1| / |m_1|
///
/// as the code of LV-Bench computes it (weights favour early segments). NaNs are left out; NaN
/// where a segment holds no value, infinite where m_1 is 0, and 0 with fewer than two segments.
SVI_EXPORT double video_drift_error(const std::vector<double>& values, std::int64_t segments = 10);

/// Where films begin to drift: the first second from which on, to the end, the mean change since
/// the first second is a change for the worse by its 95 % bootstrap interval over films.
struct DriftOnset {
  std::int64_t second = -1;        // from 0; -1: they do not, or there are fewer than 4 films
  double first = 0, last = 0;      // means over films at the first and at the last second
  Interval change = {0, 0, 0, 0};  // from the first to the last second
};

/// `curves` holds one value per second of each film, which may differ in length; only seconds that
/// all films have count. `sign` is 1 where higher values are better, -1 where lower ones are.
SVI_EXPORT DriftOnset drift_onset(const std::vector<std::vector<double>>& curves, int sign);

}  // namespace svi
