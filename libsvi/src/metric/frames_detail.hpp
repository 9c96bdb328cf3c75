#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace svi::detail {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Mean of the values; NaN if there are none.
inline double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? kNan : sum / static_cast<double>(values.size());
}

/// `count` frames of a clip of `length`, evenly spread, the last always among them.
inline std::vector<std::int64_t> spread(std::int64_t length, std::int64_t count) {
  count = std::min(count, length);
  std::vector<std::int64_t> frames;
  for (std::int64_t i = 1; i <= count; ++i) frames.push_back(i * length / count - 1);
  return frames;
}

/// Mean absolute difference of two frames.
inline double mean_change(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().mean(at::kDouble).item<double>();
}

}  // namespace svi::detail
