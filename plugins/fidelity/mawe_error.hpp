#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace fidelity {

/// Mean squared difference in levels between a frame and the one before moved forward: each pixel
/// of `before` goes to the nearest place where the flow leads, half to even; where several arrive,
/// the last in the order of rows and columns stays; places where none arrives do not count. Frames
/// are [3, H, W] uint8, the flow is [2, H, W] fp32. 0 where nothing arrives.
inline double forward_warp_error(const at::Tensor& before, const at::Tensor& now,
                                 const at::Tensor& flow) {
  const auto H = flow.size(1), W = flow.size(2), places = H * W;
  const auto moved = flow.contiguous();
  const auto* dx = moved.const_data_ptr<float>();
  const auto* dy = dx + places;
  std::vector<std::int64_t> origin(static_cast<std::size_t>(places), -1);
  for (std::int64_t i = 0; i < places; ++i) {
    const float x = std::nearbyint(static_cast<float>(i % W) + dx[i]);
    const float y = std::nearbyint(static_cast<float>(i / W) + dy[i]);
    const bool inside =
        x >= 0 && y >= 0 && x < static_cast<float>(W) && y < static_cast<float>(H);  // no NaN
    if (!inside) continue;
    origin[static_cast<std::size_t>(static_cast<std::int64_t>(y) * W +
                                    static_cast<std::int64_t>(x))] = i;
  }
  const auto from = before.contiguous(), to = now.contiguous();
  const auto* a = from.const_data_ptr<std::uint8_t>();
  const auto* b = to.const_data_ptr<std::uint8_t>();
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < places; ++i) {
    const auto source = origin[static_cast<std::size_t>(i)];
    if (source < 0) continue;
    ++count;
    for (std::int64_t c = 0; c < 3; ++c) {
      const double gap = static_cast<double>(b[c * places + i]) - a[c * places + source];
      sum += gap * gap;
    }
  }
  return count > 0 ? sum / static_cast<double>(3 * count) : 0;
}

}  // namespace fidelity
