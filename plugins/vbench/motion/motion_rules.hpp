#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace svi::vbench {

/// To the nearest whole number, the even one between two, as Python's round().
inline std::int64_t round_half_even(double value) { return std::llrint(value); }

/// When VBench says that a film moves. Of the frames it looks at only some, and of the flow between
/// two of them only at the fastest part; so many pairs must be faster than the limit.
namespace dynamic_degree {

inline constexpr double kShare = 0.05;  // of a flow, the fastest part

/// Frames from one that is looked at to the next: about eight a second; 1 where fps is not known.
inline std::int64_t interval(double fps) {
  return std::max<std::int64_t>(1, round_half_even(fps / 8));
}
inline std::int64_t looked_at(std::int64_t frames, std::int64_t interval) {
  return (frames + interval - 1) / interval;
}
inline std::int64_t needed_pairs(std::int64_t looked_at) {
  return round_half_even(4 * (static_cast<double>(looked_at) / 16));
}
inline double limit(std::int64_t height, std::int64_t width) {  // px
  return 6 * (static_cast<double>(std::min(height, width)) / 256);
}

}  // namespace dynamic_degree

/// When VBench takes a film for static: all frames count, and at the end the last one must still be
/// near the first.
namespace static_filter {

inline constexpr double kShare = 0.02;

inline std::int64_t allowed_pairs(std::int64_t frames) {
  return round_half_even(2 * (static_cast<double>(frames) / 16));
}
inline double limit(std::int64_t height, std::int64_t width) {  // px
  return 3 * (static_cast<double>(std::min(height, width)) / 256);
}
/// Of the flow between the first and the last frame, px.
inline double limit_of_ends(std::int64_t height, std::int64_t width, std::int64_t frames) {
  return limit(height, width) * static_cast<double>(allowed_pairs(frames)) * 2;
}

}  // namespace static_filter
}  // namespace svi::vbench
