#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "vision/layers.hpp"

namespace svi::vision {

/// Convolution over time, rows and columns, batch norm drawn in, and ReLU unless it is the last
/// one. Its zero padding is TensorFlow's SAME: as much as ceil(length / stride) places need, the
/// odd one behind. On a CPU channels lie last, kernels of 1 x 1 x 1 are products of matrices, and
/// those of 3 x 3 x 3 take a quarter of the multiplications (Winograd).
class I3dUnit {
 public:
  I3dUnit() = default;
  explicit I3dUnit(Conv conv, bool rectified = true);
  at::Tensor operator()(const at::Tensor& x) const;  // [B, C, T, H, W]

 private:
  at::Tensor in_tiles(const at::Tensor& x) const;

  Conv conv_;
  bool rectified_ = true;
  at::Tensor made_;  // the weight as the tiles' product reads it; undefined where it is not used
};

/// Four branches side by side.
struct I3dMixed {
  I3dUnit entry;                                     // 1 x 1 x 1, of three branches in one
  std::int64_t one = 0, reduce_a = 0, reduce_b = 0;  // channels of these
  I3dUnit three_a, three_b;                          // 3 x 3 x 3 of the last two
  I3dUnit pooled;                                    // 1 x 1 x 1 of the maximum over 3 x 3 x 3
  at::Tensor operator()(const at::Tensor& x) const;
};

/// I3D, RGB, trained on Kinetics-400 (Carreira and Zisserman 2017, arXiv 1705.07750): the network
/// of the Frechet video distance. Reads i3d_pretrained_400.pt by its names.
class I3d {
 public:
  static constexpr std::int64_t kSide = 224;     // of the frames, pixels
  static constexpr std::int64_t kClasses = 400;  // logits
  static constexpr std::int64_t kFewest = 9;     // frames

  /// Throws IoError naming the file and the tensor that does not fit.
  explicit I3d(Weights weights);

  /// Mean over time of the logits: clips [B, 3, T, H, W] in [-1, 1], T >= kFewest, H and W from 193
  /// to 224, to [B, 400].
  at::Tensor logits(const at::Tensor& clips) const;
  /// What the last module gives, of any size: [B, 1024, ceil(T/8), ceil(H/32), ceil(W/32)].
  at::Tensor trunk(const at::Tensor& clips) const;

 private:
  I3dUnit first_, second_, third_;
  std::vector<I3dMixed> mixed_;  // 3b, 3c, 4b to 4f, 5b, 5c
  I3dUnit last_;
};

/// How frames come to 224 x 224 pixels.
enum class I3dFrames {
  cd_fvd,          // whatever their shape
  common_metrics,  // the short side becomes 224, then the middle is cut out
};
/// "cd_fvd", "common_metrics".
std::vector<std::string> enum_names(I3dFrames);

/// A frame [3, H, W] in [0, 1] as I3D sees it: its 8-bit levels resized with two taps, [3, 224,
/// 224] in [-1, 1].
at::Tensor i3d_frame(const at::Tensor& frame, I3dFrames how);

}  // namespace svi::vision
