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

LongClips::LongClips(std::int64_t length, const LongCutOptions& options,
                     const std::array<double, 101>& table, Look look)
    : table_(table),
      look_(std::move(look)),
      cuts_(
          length, options, [this](const auto& frames) { close_clip(frames); },
          [this] { close_scene(); }) {}

void LongClips::push(const at::Tensor& features, const at::Tensor& prepared,
                     const at::Tensor& levels) {
  cuts_.push({features, prepared}, levels);
}

void LongClips::close_clip(const std::deque<Frame>& frames) {
  Chain chain;
  Mean clip;
  for (const auto& frame : frames) clip.add(chain.add(frame.features));
  scene_.add(clip.value());
  scene_between_.add(first_frames_.add(look_(frames.front().prepared)));
}

/// Each clip counts half by itself and half by its scene, where that has several clips.
void LongClips::close_scene() {
  const double mapped = scene_between_.count > 0 ? looked_up(table_, scene_between_.value()) : 0;
  fused_.sum +=
      mapped > 0 ? 0.5 * scene_.sum + 0.5 * mapped * static_cast<double>(scene_.count) : scene_.sum;
  fused_.count += scene_.count;
  for (auto [all, scene] : {std::pair(&clips_, &scene_), std::pair(&between_, &scene_between_)}) {
    all->sum += scene->sum;
    all->count += scene->count;
    *scene = {};
  }
  first_frames_.restart();
}

LongValues LongClips::finish() {
  cuts_.finish();
  return {clips_.value(), between_.value(), fused_};
}

}  // namespace svi::vbench
