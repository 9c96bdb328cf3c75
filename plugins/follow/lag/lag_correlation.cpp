#include "lag/lag_correlation.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "svi/core/check.hpp"

namespace svi::follow {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
constexpr double kStill = 1e-9;  // mean square about the mean of what never changes, at most

}  // namespace

LagCorrelation::LagCorrelation(std::int64_t longest, std::int64_t least)
    : longest_(longest), least_(least), sums_(static_cast<std::size_t>(2 * longest + 1)) {
  SVI_CHECK(longest >= 1 && least >= 2, "lags of up to ", longest, " frames, at least ", least);
}

void LagCorrelation::pair(Sums& sums, const at::Tensor& shown, const at::Tensor& truth) const {
  if (sums.count == 0) {
    for (auto* sum :
         {&sums.shown, &sums.truth, &sums.squares_shown, &sums.squares_truth, &sums.products})
      *sum = at::zeros_like(shown);
  }
  ++sums.count;
  sums.shown += shown;
  sums.truth += truth;
  sums.squares_shown += shown.square();
  sums.squares_truth += truth.square();
  sums.products += shown * truth;
}

void LagCorrelation::add(const at::Tensor& shown, const at::Tensor& truth) {
  SVI_CHECK(shown.dim() == 1 && shown.sizes() == truth.sizes(), "series of ", shown.sizes(),
            " and ", truth.sizes());
  shown_.push_front(shown.to(at::kDouble));
  truth_.push_front(truth.to(at::kDouble));
  const auto known = static_cast<std::int64_t>(shown_.size());
  for (std::int64_t lag = 0; lag < known; ++lag) {
    const auto back = static_cast<std::size_t>(lag);
    pair(sums_[static_cast<std::size_t>(longest_ + lag)], shown_[0], truth_[back]);
    if (lag > 0) pair(sums_[static_cast<std::size_t>(longest_ - lag)], shown_[back], truth_[0]);
  }
  if (known <= longest_) return;
  shown_.pop_back();
  truth_.pop_back();
}

std::vector<double> LagCorrelation::correlations() const {
  std::vector<double> out;
  for (const auto& sums : sums_) {
    if (sums.count < least_) {
      out.push_back(kNoNumber);
      continue;
    }
    const auto n = static_cast<double>(sums.count);
    const auto about_means = [&](const at::Tensor& products, const at::Tensor& a,
                                 const at::Tensor& b) {
      return (products / n - (a / n) * (b / n)).mean().item<double>();
    };
    const double own = about_means(sums.squares_shown, sums.shown, sums.shown);
    const double wanted = about_means(sums.squares_truth, sums.truth, sums.truth);
    const double common = about_means(sums.products, sums.shown, sums.truth);
    out.push_back(own < kStill || wanted < kStill ? 0 : common / std::sqrt(own * wanted));
  }
  return out;
}

Lag LagCorrelation::lag() const {
  const auto all = correlations();
  std::vector<double> known;
  Lag best{0, kNoNumber};
  double highest = 0;
  for (std::int64_t distance = 0; distance <= longest_; ++distance) {
    for (const auto lag : {distance, -distance}) {
      const double value = all[static_cast<std::size_t>(longest_ + lag)];
      if (std::isnan(value) || (distance == 0 && !known.empty())) continue;
      known.push_back(value);
      if (value <= highest) continue;
      highest = value;
      best.frames = lag;
    }
  }
  if (known.size() < 2 || highest == 0) return best;
  std::sort(known.begin(), known.end());
  const auto middle = known.size() / 2;
  const double median =
      known.size() % 2 == 1 ? known[middle] : (known[middle - 1] + known[middle]) / 2;
  best.confidence = highest - median;
  return best;
}

}  // namespace svi::follow
