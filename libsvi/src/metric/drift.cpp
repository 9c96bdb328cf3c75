#include "svi/metric/drift.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "svi/core/check.hpp"
#include "svi/core/random.hpp"

namespace svi {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double median(std::vector<double>& values) {
  if (values.empty()) return kNan;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::max_element(values.begin(), middle));
}

/// The value below which `share` of the sorted values lie, between neighbours by straight line.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - std::floor(place));
}

}  // namespace

double robust_slope(const std::vector<double>& values) {
  std::vector<double> slopes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      const double slope = (values[j] - values[i]) / static_cast<double>(j - i);
      if (!std::isnan(slope)) slopes.push_back(slope);
    }
  }
  return median(slopes);
}

double relative_slope(const std::vector<double>& values) {
  const double slope = robust_slope(values);
  std::vector<double> levels;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double level = values[i] - slope * static_cast<double>(i);
    if (!std::isnan(level)) levels.push_back(level);
  }
  const double level = std::abs(median(levels));
  return level > 0 ? slope / level : kNan;
}

Interval bootstrap_interval(const std::vector<double>& values, std::uint64_t seed,
                            std::int64_t resamples) {
  SVI_CHECK(resamples >= 1, "a bootstrap of ", resamples, " resamples");
  std::vector<double> kept;
  for (const double value : values) {
    if (!std::isnan(value)) kept.push_back(value);
  }
  if (kept.empty()) return {kNan, kNan, kNan, 0};
  const auto count = static_cast<double>(kept.size());
  std::vector<double> means(static_cast<std::size_t>(resamples));
  for (std::size_t r = 0; r < means.size(); ++r) {
    const RandomKey key{seed, Purpose::bootstrap, static_cast<std::uint32_t>(r), 0};
    double sum = 0;
    for (std::uint32_t i = 0; i < kept.size(); ++i) sum += kept[uniform_index(key, kept.size(), i)];
    means[r] = sum / count;
  }
  std::sort(means.begin(), means.end());
  const double mean = std::accumulate(kept.begin(), kept.end(), 0.0) / count;
  return {mean, quantile(means, 0.025), quantile(means, 0.975),
          static_cast<std::int64_t>(kept.size())};
}

}  // namespace svi
