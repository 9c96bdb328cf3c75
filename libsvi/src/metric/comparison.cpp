#include "svi/metric/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "resampling.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kPairSeed = 2;  // the level of scenes in analysis/svi_analysis/paired.py
constexpr std::int64_t kPairResamples = 10000;
constexpr double kNoPairs = std::numeric_limits<double>::quiet_NaN();

}  // namespace

PairedDifference paired_difference(const std::vector<double>& a, const std::vector<double>& b) {
  SVI_CHECK(a.size() == b.size(), a.size(), " and ", b.size(), " values are no pairs");
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  differences = without_nans(differences);
  const auto count = static_cast<std::int64_t>(differences.size());
  if (count == 0) return {kNoPairs, kNoPairs, kNoPairs, kNoPairs, 0};
  const auto mean =
      std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(count);
  const auto drawn = resampled_means(differences, kPairSeed, kPairResamples);
  if (mean == 0 && drawn.front() == 0 && drawn.back() == 0) return {0, 0, 0, 1, count};
  const auto not_above = std::upper_bound(drawn.begin(), drawn.end(), 0.0) - drawn.begin();
  const auto not_below = drawn.end() - std::lower_bound(drawn.begin(), drawn.end(), 0.0);
  const auto tail = static_cast<double>(std::min(not_above, not_below));
  const auto least = std::exp2(1.0 - static_cast<double>(count));
  const auto share = 2 * (tail + 1) / static_cast<double>(kPairResamples + 1);
  return {mean, quantile(drawn, 0.025), quantile(drawn, 0.975),
          std::min(1.0, std::max(share, least)), count};
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!std::isnan(p[i])) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return p[i] < p[j]; });
  auto corrected = p;
  double highest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    highest = std::max(highest, p[order[rank]] * static_cast<double>(order.size() - rank));
    corrected[order[rank]] = std::min(1.0, highest);
  }
  return corrected;
}

}  // namespace svi
