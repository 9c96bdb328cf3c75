#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>

#include "svi/core/export.hpp"

namespace svi {

/// What is known of a set of feature vectors once its number, mean and covariance are.
struct SetMoments {
  std::int64_t count = 0;  // rows
  at::Tensor mean;         // [D] fp64
  at::Tensor scatter;      // [D, D] fp64, sum of the outer products of rows less their mean
};

/// Moments of rows that come in parts, in memory that does not grow with their number. Equal rows
/// in equal order give equal bits, however they are parted: blocks of a fixed number of rows are
/// fitted by themselves and joined in order (Chan, Golub and LeVeque 1983). One thread.
class SVI_EXPORT RunningMoments {
 public:
  explicit RunningMoments(std::int64_t features);       // D >= 1
  RunningMoments(RunningMoments&&) noexcept = default;  // a copy would share its tensors
  RunningMoments& operator=(RunningMoments&&) noexcept = default;

  /// The next rows, [n, D] floating; throws Error for other shapes and values that are not finite.
  void add(const at::Tensor& rows);
  std::int64_t count() const { return closed_.count + held_; }  // rows so far
  /// Of all rows so far; zeros where there are none.
  SetMoments moments() const;

 private:
  SetMoments closed_;  // of whole blocks
  at::Tensor block_;   // [rows, D] fp64
  std::int64_t held_ = 0;
};

/// A metric that knows the number of a set by its moments alone derives from this beside Metric:
/// then nobody holds all rows, and Metric::of_set is not asked.
class SVI_EXPORT JudgesMoments {
 public:
  virtual ~JudgesMoments();
  /// As Metric::of_set; a set without rows has count 0. NaN where undefined.
  virtual double of_moments(std::size_t quantity, const SetMoments& shown,
                            const SetMoments& truth) const = 0;
};

}  // namespace svi
