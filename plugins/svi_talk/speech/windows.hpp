#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svi::speech {

/// Around each row its neighbours, clamped at both ends: rows [T, ...] to [T, window, ...], window
/// odd. Windows share the storage of one padded copy of the rows.
at::Tensor centred_windows(const at::Tensor& rows, std::int64_t window);

/// What latent frames hear of the windows of their pixel frames [B, T, window, ...], T = stride
/// (F - 1) + 1. Latent frame 0 stands for one pixel frame and hears its window, `first`
/// [B, 1, window, ...]. Each later one hears, of its stride pixel frames, the window's first half
/// and middle of the first, the middles of those between, and the middle and last half of the last:
/// `rest` [B, F - 1, stride + window - 1, ...], rows that follow each other without a gap.
struct LatentWindows {
  at::Tensor first, rest;
};
LatentWindows latent_windows(const at::Tensor& windows, std::int64_t stride);

}  // namespace svi::speech
