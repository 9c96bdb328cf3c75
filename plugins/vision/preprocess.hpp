#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <utility>

namespace svi::vision {

/// Preparation of frames as the original metrics do it: torchvision's transforms of tensors, and
/// Pillow's resize of 8-bit pictures. Frames are [..., H, W]; two leading axes at most.

enum class Filter { bilinear, bicubic };

/// How pixels between pixels are guessed. With `antialias` the filter grows as the picture shrinks,
/// and the bicubic kernel has A = -0.5; without, two or four taps and A = -0.75.
struct Resampling {
  Filter filter = Filter::bilinear;
  bool antialias = false;
};

/// {height, width} after Resize(side): the short side becomes `side`, the long one
/// int(side * long / short).
std::pair<std::int64_t, std::int64_t> short_side_size(std::int64_t height, std::int64_t width,
                                                      std::int64_t side);

/// Resize((height, width)): half-pixel centres. Floating frames are neither rounded nor clamped;
/// uint8 frames are computed in fp32, clamped after bicubic, rounded half to even, and stay uint8.
/// Frames that fit already come back as they are.
at::Tensor resized(const at::Tensor& frames, std::int64_t height, std::int64_t width,
                   Resampling how);
/// Resize(side), by short_side_size().
at::Tensor resized_short(const at::Tensor& frames, std::int64_t side, Resampling how);

/// Resize((height, width)) of a Pillow picture: uint8 in and out, always with antialias, first
/// along rows, then along columns, both rounded to 8 bits.
at::Tensor resized_pillow(const at::Tensor& picture, std::int64_t height, std::int64_t width,
                          Filter filter);

/// CenterCrop((height, width)): the margin on top and left is half of what is over, rounded half to
/// even; frames that are too small get zeros around, the odd row or column of them below or right.
at::Tensor center_crop(const at::Tensor& frames, std::int64_t height, std::int64_t width);
inline at::Tensor center_crop(const at::Tensor& frames, std::int64_t side) {
  return center_crop(frames, side, side);
}

/// Means and standard deviations of R, G and B in [0, 1].
struct Normalisation {
  std::array<float, 3> mean, deviation;
};
inline constexpr Normalisation kImageNet{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}};
inline constexpr Normalisation kClip{{0.48145466F, 0.4578275F, 0.40821073F},
                                     {0.26862954F, 0.26130258F, 0.27577711F}};
inline constexpr Normalisation kHalves{{0.5F, 0.5F, 0.5F}, {0.5F, 0.5F, 0.5F}};

/// (x - mean) / deviation of frames [..., 3, H, W] in [0, 1].
at::Tensor normalised(const at::Tensor& frames, const Normalisation& by);

/// The 8-bit levels that frames in [0, 1] came from: whole numbers 0 .. 255, fp32.
at::Tensor levels(const at::Tensor& frames);

}  // namespace svi::vision
