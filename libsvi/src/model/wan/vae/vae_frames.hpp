#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace svi::wan {

// The VAE frame by frame, depth first: each layer takes one frame [B, H, W, C] (contiguous, fp32,
// on the CPU), and hands each frame it completes to the next layer at once. Of a video only what
// the temporal convolutions remember is in memory, two frames each, and three frames of the level
// in work.

using FrameSink = std::function<void(at::Tensor frame)>;

/// What a layer remembers: the frames before the next one, at most two for each convolution in
/// time.
struct FrameSlot {
  std::array<std::vector<at::Tensor>, 2> past;
  bool started = false;
};

/// Frames to write in. Fresh memory of this size would come from the system page by page, at a cost
/// that shows next to the convolutions.
class FramePool {
 public:
  at::Tensor take(at::IntArrayRef sizes);
  void give(at::Tensor frame);
  /// Forgets the frames of up to so many values: where a level with larger ones begins, none of
  /// this level needs to wait.
  void drop(std::int64_t numel);
  void clear() { free_.clear(); }

 private:
  std::vector<at::Tensor> free_;
};

class FrameMemory {
 public:
  FrameSlot& slot(std::size_t layer);
  FramePool& pool() { return pool_; }
  void clear() { slots_.clear(), pool_.clear(); }

 private:
  std::vector<FrameSlot> slots_;
  FramePool pool_;
};

/// A frame as [B, C, 1, H, W] in channels-last memory, and back; views.
at::Tensor as_volume(const at::Tensor& frame);
at::Tensor as_frame(const at::Tensor& volume);

}  // namespace svi::wan
