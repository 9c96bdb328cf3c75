#pragma once

#include <cstdint>
#include <vector>

namespace svi {

/// The values that are no NaN.
std::vector<double> without_nans(const std::vector<double>& values);

/// Sorted means of `resamples` draws with replacement of as many values as there are; draws are a
/// function of seed, resample and place alone. `values` is not empty and holds no NaN.
std::vector<double> resampled_means(const std::vector<double>& values, std::uint64_t seed,
                                    std::int64_t resamples);

/// The value below which `share` of the sorted values lie, between neighbours by straight line.
double quantile(const std::vector<double>& sorted, double share);

}  // namespace svi
