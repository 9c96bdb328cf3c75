#include "vbench/long/long_clips.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace svi::vbench {

double looked_up(const std::array<double, 101>& table, double x) {
  const double place = std::clamp(x, 0.0, 1.0) * 100;
  const auto below = std::min(static_cast<std::size_t>(place), table.size() - 2);
  const double share = place - static_cast<double>(below);
  return table[below] + share * (table[below + 1] - table[below]);
}

void LongClips::push(const at::Tensor& features, const at::Tensor& prepared) {
  if (frames_ % length_ == 0) {
    within_.restart();
    clip_ = {};
    opening_ = prepared;
  }
  clip_.add(within_.add(features));
  last_.push_back({features, prepared});
  if (static_cast<std::int64_t>(last_.size()) > length_) last_.pop_front();
  ++frames_;
  if (frames_ % length_ == 0) close(clip_.value(), opening_);
}

void LongClips::close(double consistency, const at::Tensor& first) {
  clips_.add(consistency);
  between_.add(first_frames_.add(look_(first)));
}

LongValues LongClips::finish(const std::array<double, 101>& table) {
  if (frames_ < length_) {
    clips_.add(clip_.value());  // the whole film
  } else if (frames_ % length_ != 0) {
    Chain chain;
    Mean clip;
    for (const auto& frame : last_) clip.add(chain.add(frame.features));
    close(clip.value(), last_.front().prepared);
  }
  LongValues values{clips_.value(), between_.value(), clips_};
  const double mapped = between_.count > 0 ? looked_up(table, between_.value()) : 0;
  if (mapped > 0)
    values.fused.sum = 0.5 * clips_.sum + 0.5 * mapped * static_cast<double>(clips_.count);
  return values;
}

}  // namespace svi::vbench
