#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <vector>

namespace svi::vision {

/// How far apart picture and sound of a film are at every shift of one against the other, window by
/// window; holds the vectors of 2 * reach + 1 windows, however long the film is.
class LagDistances {
 public:
  explicit LagDistances(std::int64_t reach = 15) : reach_(reach) {}

  /// The next window's vectors [D] fp32.
  void add(const at::Tensor& seen, const at::Tensor& heard);
  /// After the last window: the mean over windows i of |seen_i - heard_(i + k - reach)| for k = 0
  /// .. 2 reach, with vectors of zeros before the first and behind the last sound; empty if there
  /// was no window.
  std::vector<double> finish();

 private:
  void compare();  // the first of seen_ with all of heard_

  std::int64_t reach_;
  std::int64_t count_ = 0;               // windows compared
  std::deque<at::Tensor> seen_, heard_;  // heard_ begins `reach` windows before seen_
  std::vector<double> sums_;
};

/// What SyncNet's authors read off the distances.
struct SyncScores {
  double confidence = 0;  // median minus minimum
  double distance = 0;    // minimum
  double offset = 0;      // windows: how much later the sound comes where it fits best, negated
};
SyncScores scores_of(const std::vector<double>& distances);

}  // namespace svi::vision
