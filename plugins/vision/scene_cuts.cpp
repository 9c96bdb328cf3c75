#include "vision/scene_cuts.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "svi/core/check.hpp"
#include "vision/preprocess.hpp"

namespace svi::vision {
namespace {

constexpr std::int64_t kCutSide = 256;  // pixels of the long side that are looked at
constexpr int kHueBits = 12;            // of the fixed-point fractions
constexpr std::int32_t kHueCircle = 180, kMostLevel = 255;

/// round(2^12 full / i) for i = 1 .. 255; 0 for 0.
std::array<std::int32_t, 256> fractions(double full, double of) {
  std::array<std::int32_t, 256> table{};
  for (std::size_t i = 1; i < table.size(); ++i) {
    table[i] = static_cast<std::int32_t>(
        std::llrint((1 << kHueBits) * full / (of * static_cast<double>(i))));
  }
  return table;
}

std::int32_t times(std::int32_t value, std::int32_t fraction) {
  return (value * fraction + (1 << (kHueBits - 1))) >> kHueBits;
}

at::Tensor seen(const at::Tensor& levels) {
  const auto H = levels.size(1), W = levels.size(2), side = std::max(H, W);
  if (side <= kCutSide) return levels;
  const double factor = static_cast<double>(side) / static_cast<double>(kCutSide);
  const auto shrunk = [&](std::int64_t length) {
    return std::max<std::int64_t>(1, std::llrint(static_cast<double>(length) / factor));
  };
  return resized(levels, shrunk(H), shrunk(W), {Filter::bilinear, false}).add(0.5).floor();
}

}  // namespace

std::optional<std::int64_t> CutFilter::add(bool loud) {
  const auto now = next_++;
  if (fewest_ == 0) return loud ? std::optional(now) : std::nullopt;
  const bool calm = now - loud_ >= fewest_;  // before this frame
  if (loud) loud_ = now;
  if (in_burst_) {
    if (!calm || loud || loud_ - burst_ < fewest_) return std::nullopt;
    in_burst_ = false;
    return loud_;
  }
  if (!loud) return std::nullopt;
  if (calm) {
    had_cut_ = true;
    return now;
  }
  if (had_cut_) {
    in_burst_ = true;
    burst_ = now;
  }
  return std::nullopt;
}

std::int64_t CutFilter::open() const {
  return in_burst_ && loud_ - burst_ >= fewest_ ? loud_ : next_;
}

at::Tensor hue_saturation_value(const at::Tensor& levels) {
  static const auto kOfValue = fractions(kMostLevel, 1), kOfSpan = fractions(kHueCircle, 6);
  const auto bytes = levels.to(at::kCPU, at::kByte).contiguous();
  const auto places = bytes.size(1) * bytes.size(2);
  auto result = at::empty(bytes.sizes(), at::kInt);
  const auto* rgb = bytes.const_data_ptr<std::uint8_t>();
  auto* out = result.mutable_data_ptr<std::int32_t>();
  for (std::int64_t n = 0; n < places; ++n) {
    const std::int32_t r = rgb[n], g = rgb[places + n], b = rgb[2 * places + n];
    const auto value = std::max({r, g, b}), span = value - std::min({r, g, b});
    const auto turn = value == r   ? g - b
                      : value == g ? b - r + 2 * span
                                   : r - g + 4 * span;  // in sixths of the circle, times span
    const auto hue = times(turn, kOfSpan[static_cast<std::size_t>(span)]);
    out[n] = hue < 0 ? hue + kHueCircle : hue;
    out[places + n] = times(span, kOfValue[static_cast<std::size_t>(value)]);
    out[2 * places + n] = value;
  }
  return result;
}

std::optional<std::int64_t> SceneCuts::add(const at::Tensor& levels) {
  SVI_CHECK(levels.dim() == 3 && levels.size(0) == 3, "a frame of levels ", levels.sizes());
  const auto now = hue_saturation_value(seen(levels));
  SVI_CHECK(!before_.defined() || before_.sizes() == now.sizes(), "frames of one film differ");
  change_ = before_.defined() ? (now - before_).abs_().mean(at::kDouble).item<double>() : 0;
  before_ = now;
  return filter_.add(change_ >= threshold_);
}

}  // namespace svi::vision
