#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "vision/layers.hpp"

namespace svi::vision {

/// SyncNet (Chung and Zisserman 2016, "Out of time"): 0.2 s of a mouth and of its sound, each as a
/// vector; near ones belong together. Reads syncnet_v2.model by its names.
class SyncNet {
 public:
  static constexpr std::int64_t kSide = 224;    // of the frames, pixels
  static constexpr std::int64_t kFrames = 5;    // of a window, at 25 per second
  static constexpr std::int64_t kColumns = 20;  // MFCC frames of a window, at 100 per second
  static constexpr std::int64_t kWidth = 1024;  // of the vectors

  /// Throws IoError naming the file and the tensor that does not fit.
  explicit SyncNet(Weights weights);

  /// Each window of five frames: [3, T, 224, 224], BGR, 0 .. 255, to [T - 4, 1024].
  at::Tensor seen(const at::Tensor& frames) const;
  /// Windows of MFCC [B, 13, 20] to [B, 1024].
  at::Tensor heard(const at::Tensor& windows) const;

 private:
  /// Two layers behind the convolutions; the batch norm between them is drawn into the first.
  struct Head {
    at::Tensor weight, bias;  // [512, 512], [512]
    Linear last;
    at::Tensor operator()(const at::Tensor& x) const;  // [B, 512] to [B, 1024]
  };
  static Head head(Weights& weights, const std::string& name);

  std::vector<Conv> sound_, picture_;  // in order
  Head sound_head_, picture_head_;
};

}  // namespace svi::vision
