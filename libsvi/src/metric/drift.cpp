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

/// NaN of nothing.
double mean_of(const std::vector<double>& values) {
  return values.empty() ? kNan
                        : std::accumulate(values.begin(), values.end(), 0.0) /
                              static_cast<double>(values.size());
}

constexpr std::int64_t kFewestFilms = 4;  // that a bootstrap interval of a change is taken from

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

std::vector<double> without_nans(const std::vector<double>& values) {
  std::vector<double> kept;
  std::copy_if(values.begin(), values.end(), std::back_inserter(kept),
               [](double value) { return !std::isnan(value); });
  return kept;
}

std::vector<double> resampled_means(const std::vector<double>& values, std::uint64_t seed,
                                    std::int64_t resamples) {
  SVI_CHECK(resamples >= 1, "a bootstrap of ", resamples, " resamples");
  const auto count = static_cast<double>(values.size());
  std::vector<double> means(static_cast<std::size_t>(resamples));
  for (std::size_t r = 0; r < means.size(); ++r) {
    const RandomKey key{seed, Purpose::bootstrap, static_cast<std::uint32_t>(r), 0};
    double sum = 0;
    for (std::uint32_t i = 0; i < values.size(); ++i)
      sum += values[uniform_index(key, values.size(), i)];
    means[r] = sum / count;
  }
  std::sort(means.begin(), means.end());
  return means;
}

double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - std::floor(place));
}

Interval bootstrap_interval(const std::vector<double>& values, std::uint64_t seed,
                            std::int64_t resamples) {
  const auto kept = without_nans(values);
  if (kept.empty()) return {kNan, kNan, kNan, 0};
  const auto means = resampled_means(kept, seed, resamples);
  return {mean_of(kept), quantile(means, 0.025), quantile(means, 0.975),
          static_cast<std::int64_t>(kept.size())};
}

std::vector<double> per_second(const std::vector<double>& frames, double fps) {
  if (!(fps > 0) || frames.empty()) return {};
  const auto second_of = [&](std::size_t frame) {
    return static_cast<std::size_t>(std::floor(static_cast<double>(frame) / fps));
  };
  auto seconds = second_of(frames.size() - 1) + 1;
  const auto begin_of_last = std::ceil(static_cast<double>(seconds - 1) * fps);
  if (seconds > 1 && (static_cast<double>(frames.size()) - begin_of_last) * 2 < fps) --seconds;
  std::vector<std::vector<double>> parts(seconds);
  for (std::size_t i = 0; i < frames.size(); ++i)
    parts[std::min(second_of(i), seconds - 1)].push_back(frames[i]);
  std::vector<double> means;
  for (const auto& part : parts) means.push_back(mean_of(without_nans(part)));
  return means;
}

double video_drift_error(const std::vector<double>& values, std::int64_t segments) {
  if (segments < 2) return 0;
  const auto length = static_cast<std::int64_t>(values.size()) / segments;
  std::vector<double> means;
  for (std::int64_t i = 0; i < segments; ++i) {
    const auto begin = values.begin() + i * length;
    means.push_back(mean_of(without_nans({begin, begin + length})));
  }
  double error = 0;
  for (std::int64_t i = 1; i < segments; ++i) {
    error += static_cast<double>(segments - i) *
             std::abs(means[static_cast<std::size_t>(i)] - means[0]) / std::abs(means[0]);
  }
  return means[0] == 0 ? std::numeric_limits<double>::infinity() : error;
}

DriftOnset drift_onset(const std::vector<std::vector<double>>& curves, int sign) {
  DriftOnset onset{-1, kNan, kNan, {kNan, kNan, kNan, 0}};
  std::size_t seconds = curves.empty() ? 0 : curves.front().size();
  for (const auto& curve : curves) seconds = std::min(seconds, curve.size());
  if (seconds < 2) return onset;
  const auto at_second = [&](std::size_t s) {
    std::vector<double> values;
    for (const auto& curve : curves) values.push_back(curve[s]);
    return values;
  };
  const auto begin = at_second(0);
  onset.first = mean_of(without_nans(begin));
  onset.last = mean_of(without_nans(at_second(seconds - 1)));
  for (std::size_t s = seconds - 1; s > 0; --s) {
    auto change = at_second(s);
    for (std::size_t i = 0; i < change.size(); ++i) change[i] -= begin[i];
    const auto interval = bootstrap_interval(change, 0);
    if (s == seconds - 1) onset.change = interval;
    const bool worse = sign > 0 ? interval.high < 0 : interval.low > 0;
    if (interval.count < kFewestFilms || !worse) break;
    onset.second = static_cast<std::int64_t>(s);
  }
  return onset;
}

}  // namespace svi
