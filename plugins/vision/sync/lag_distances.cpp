#include "vision/sync/lag_distances.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace svi::vision {

void LagDistances::add(const at::Tensor& seen, const at::Tensor& heard) {
  if (sums_.empty()) {
    sums_.assign(static_cast<std::size_t>(2 * reach_ + 1), 0);
    heard_.assign(static_cast<std::size_t>(reach_), at::zeros_like(heard));
  }
  seen_.push_back(seen);
  heard_.push_back(heard);
  if (heard_.size() == sums_.size()) compare();
}

void LagDistances::compare() {
  const auto seen = seen_.front().unsqueeze(0);  // [1, D]
  const auto heard = at::stack(std::vector<at::Tensor>(heard_.begin(), heard_.end()));
  // ATen adds 1e-6 to every difference, as the published numbers have it.
  const auto distances = at::pairwise_distance(seen.expand_as(heard), heard).to(at::kDouble);
  for (std::size_t k = 0; k < sums_.size(); ++k)
    sums_[k] += distances[static_cast<std::int64_t>(k)].item<double>();
  seen_.pop_front();
  heard_.pop_front();
  ++count_;
}

std::vector<double> LagDistances::finish() {
  while (!seen_.empty()) {
    heard_.push_back(at::zeros_like(heard_.back()));
    if (heard_.size() == sums_.size()) compare();
  }
  auto means = sums_;
  for (auto& mean : means) mean /= static_cast<double>(count_);
  return means;
}

SyncScores scores_of(const std::vector<double>& distances) {
  auto sorted = distances;
  std::sort(sorted.begin(), sorted.end());
  const auto nearest = std::min_element(distances.begin(), distances.end());
  const auto reach = static_cast<double>(distances.size() / 2);
  return {sorted[sorted.size() / 2] - sorted[0], sorted[0],
          reach - static_cast<double>(nearest - distances.begin())};
}

}  // namespace svi::vision
