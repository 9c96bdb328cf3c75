#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace windows {

/// First frames of windows of `window` that cover `frames`, each `stride` behind the one before. A
/// last window that would reach beyond the end stands at it.
std::vector<std::int64_t> first_frames(std::int64_t frames, std::int64_t window,
                                       std::int64_t stride);

/// 1, 2, ..., 2, 1 over a window, [w] fp32: FreeNoise's weight of a window's frames.
at::Tensor triangle(std::int64_t window);

/// Weights [n, V, w] of the V windows that begin there, divided by their sum at each frame, so that
/// at every frame the shares of all windows sum to one.
at::Tensor shares(const at::Tensor& weights, const std::vector<std::int64_t>& firsts,
                  std::int64_t frames);

/// Weights [n, V, w] of which the last window to write a frame has all: window v writes its frames
/// from `begins` [n, V] on, in the order of the windows. begins is 0 for window 0.
at::Tensor last_writer(const at::Tensor& begins, const std::vector<std::int64_t>& firsts,
                       std::int64_t window, std::int64_t frames);

/// The noise of a film of `frames`: that of its first window, noise [B, z, w, h, w'], then block by
/// block of `stride` frames the noise of a window earlier, in another order. order(k, n) [B, n]
/// int64: a permutation of n frames, for block k from 0.
at::Tensor rescheduled(
    const at::Tensor& noise, std::int64_t frames, std::int64_t stride,
    const std::function<at::Tensor(std::int64_t block, std::int64_t count)>& order);

/// A stretch of frames under one prompt, begin <= frame < end.
struct Stretch {
  std::string prompt;
  double begin = 0, end = 0;  // frames
};
/// What is told at a frame: (1 - share) of one prompt's embedding and share of the next one's.
struct Turn {
  std::string from, to;
  double share = 0;
};
/// Where one prompt turns into the next, its embedding is interpolated over the last `blend` of its
/// stretch and the first `blend` of the next one's. Stretches follow each other without a gap.
Turn turn_at(const std::vector<Stretch>& stretches, double blend, double frame);

}  // namespace windows
