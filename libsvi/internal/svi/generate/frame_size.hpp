#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// Pixels of a frame.
struct FrameSize {
  std::int64_t width = 0, height = 0;  // pixels
};

/// The size a film gets from its first image: at most `max_width` wide, height in proportion, both
/// rounded down to multiples of `unit`. Source: the reference's test script (max_width 832, unit
/// 16).
SVI_EXPORT FrameSize film_size(FrameSize image, std::int64_t max_width, std::int64_t unit);

/// "832x480". Throws ConfigError.
SVI_EXPORT FrameSize parse_size(const std::string& text);

/// Size of an image or of a video's frames as they are shown: upright, with square pixels. Throws
/// IoError.
SVI_EXPORT FrameSize image_size(const std::string& path);

/// An image or the first frame of a video, resized (bicubic, antialiased, aspect ignored) to
/// [3, H, W] fp32 in [-1, 1]. Throws IoError.
SVI_EXPORT at::Tensor load_image(const std::string& path, FrameSize size);

/// Frames uint8 [T, 3, h, w] resized alike to uint8 [T, 3, H, W].
SVI_EXPORT at::Tensor resize_frames(const at::Tensor& frames, FrameSize size);

}  // namespace svi
