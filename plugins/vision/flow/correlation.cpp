#include "vision/flow/correlation.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"
#include "svi/tensor/instruction_set.hpp"
#include "svi/tensor/threads.hpp"
#include "vision/flow/warp.hpp"

namespace svi::vision {
namespace {

#define SVI_KERNEL_FILE "vision/flow/correlation_kernel.inc"
#define SVI_KERNEL_ROWS_AVX512 1
namespace correlation_sets {
#include "model/wan/kernels/instruction_sets.inc"
}  // namespace correlation_sets
#undef SVI_KERNEL_FILE
#undef SVI_KERNEL_ROWS_AVX512

struct CorrelationKernel {
  void (*dots)(const float*, const float*, long, long, long, long, long, long, float*);
  void (*sample)(const float*, long, float, float, float, float*);
};

const CorrelationKernel& correlation_kernel() {
#ifdef SVI_WIDE_KERNELS
  static const CorrelationKernel wide512{correlation_sets::avx512::window_dots,
                                         correlation_sets::avx512::sample_window};
  static const CorrelationKernel wide256{correlation_sets::avx2::window_dots,
                                         correlation_sets::avx2::sample_window};
  if (instruction_set() == InstructionSet::avx512) return wide512;
  if (instruction_set() == InstructionSet::avx2) return wide256;
#endif
  static const CorrelationKernel plain{correlation_sets::baseline::window_dots,
                                       correlation_sets::baseline::sample_window};
  return plain;
}

constexpr std::int64_t kChannelStep = 16;
constexpr float kFarAway = 1e6F;  // no frame is that large: all is zero there
constexpr auto kNoCorner = std::numeric_limits<std::int32_t>::min();

std::int32_t corner_of(float place, std::int64_t radius) {
  const bool near = std::abs(place) < kFarAway;  // false for NaN
  return static_cast<std::int32_t>(std::floor(near ? place : kFarAway)) -
         static_cast<std::int32_t>(radius);
}

}  // namespace

FeaturePyramid feature_pyramid(const at::Tensor& features, std::int64_t levels) {
  const auto [B, C, h, w] = dims<4>(features, "features [1, C, h, w]");
  const auto padded = (C + kChannelStep - 1) / kChannelStep * kChannelStep;
  FeaturePyramid pyramid{{}, C};
  auto level = padded == C ? features : at::constant_pad_nd(features, {0, 0, 0, 0, 0, padded - C});
  for (std::int64_t l = 0; l < levels; ++l) {
    if (l > 0) {
      const bool some = level.size(2) > 1 && level.size(3) > 1;
      level = some ? at::avg_pool2d(level, 2, 2)
                   : at::empty({1, padded, level.size(2) / 2, level.size(3) / 2}, level.options());
    }
    pyramid.levels.push_back(level.squeeze(0).permute({1, 2, 0}).contiguous());
  }
  return pyramid;
}

Correlation::Correlation(const FeaturePyramid& from, const FeaturePyramid& to, std::int64_t radius)
    : Correlation(from, to, radius, from.levels.at(0).is_cpu() ? Way::windows : Way::volume) {}

Correlation::Correlation(const FeaturePyramid& from, const FeaturePyramid& to, std::int64_t radius,
                         Way way)
    : from_(from),
      to_(to),
      radius_(radius),
      scale_(static_cast<float>(1 / std::sqrt(static_cast<double>(from.channels)))) {
  const auto& vectors = from.levels.at(0);
  const auto L = static_cast<std::int64_t>(to.levels.size());
  const auto N = vectors.size(0) * vectors.size(1), S = 2 * radius + 1;
  if (way == Way::windows) {
    corners_ = at::full({N, L, 2}, kNoCorner, at::kInt);
    dots_ = at::empty({N, L, (S + 1) * (S + 1)}, at::kFloat);
    return;
  }
  for (const auto& level : to.levels) {
    const auto all = at::matmul(vectors.flatten(0, 1), level.flatten(0, 1).t()).mul_(scale_);
    const auto pairs = all.view({N, 1, level.size(0), level.size(1)});
    const bool thin = level.size(0) == 1 || level.size(1) == 1;  // a side needs two pixels
    volume_.push_back(thin ? at::constant_pad_nd(pairs, {0, 1, 0, 1}) : pairs);
  }
}

at::Tensor Correlation::lookup(const at::Tensor& places) {
  SVI_CHECK(places.dim() == 4 && places.size(0) == 1 && places.size(1) == 2 &&
                places.size(2) == from_.levels[0].size(0) &&
                places.size(3) == from_.levels[0].size(1),
            "places ", places.sizes(), " for features ", from_.levels[0].sizes());
  return volume_.empty() ? from_windows(places.contiguous()) : from_volume(places);
}

at::Tensor Correlation::from_windows(const at::Tensor& places) {
  const auto& vectors = from_.levels[0];
  const auto h = vectors.size(0), w = vectors.size(1), C = vectors.size(2);
  const auto L = static_cast<std::int64_t>(to_.levels.size()), N = h * w;
  const auto S = 2 * radius_ + 1, side = S + 1;
  auto answer = at::empty({1, h, w, L * S * S}, at::kFloat);
  const auto& kernel = correlation_kernel();
  const auto* xs = places.const_data_ptr<float>();
  const auto* from = vectors.const_data_ptr<float>();
  auto* corners = corners_.mutable_data_ptr<std::int32_t>();
  auto* all_dots = dots_.mutable_data_ptr<float>();
  auto* out = answer.mutable_data_ptr<float>();
  parallel_for(0, N, 16, [&](std::int64_t begin, std::int64_t end) {
    for (auto item = begin * L; item < end * L; ++item) {
      const auto n = item / L, l = item % L;
      const auto shrink = 1 / static_cast<float>(std::int64_t{1} << l);
      const auto x = xs[n] * shrink, y = xs[N + n] * shrink;
      const auto left = corner_of(x, radius_), top = corner_of(y, radius_);
      auto* corner = corners + 2 * item;
      auto* dots = all_dots + item * side * side;
      if (corner[0] != left || corner[1] != top) {
        const auto& map = to_.levels[static_cast<std::size_t>(l)];
        kernel.dots(from + n * C, map.const_data_ptr<float>(), map.size(0), map.size(1), C, left,
                    top, side, dots);
        corner[0] = left;
        corner[1] = top;
      }
      kernel.sample(dots, side, x - std::floor(x), y - std::floor(y), scale_, out + item * S * S);
    }
  });
  return answer.permute({0, 3, 1, 2});
}

at::Tensor Correlation::from_volume(const at::Tensor& places) const {
  const auto h = places.size(2), w = places.size(3), N = h * w, S = 2 * radius_ + 1;
  const auto steps = at::arange(-radius_, radius_ + 1, places.options());
  std::vector<at::Tensor> answer;
  for (std::size_t l = 0; l < volume_.size(); ++l) {
    const auto& level = volume_[l];
    if (level.numel() == 0) {
      answer.push_back(at::zeros({N, S * S}, places.options()));
      continue;
    }
    const auto centre = (places / static_cast<double>(std::int64_t{1} << l)).view({2, N, 1, 1});
    const auto window = at::stack({(centre[0] + steps.view({1, S, 1})).expand({N, S, S}),
                                   (centre[1] + steps.view({1, 1, S})).expand({N, S, S})},
                                  1);  // [N, 2, S, S]
    answer.push_back(sampled(level, window, Outside::zero).view({N, S * S}));
  }
  return at::cat(answer, 1).view({1, h, w, -1}).permute({0, 3, 1, 2});
}

}  // namespace svi::vision

#undef SVI_WIDE_KERNELS
