#pragma once

#include <ATen/core/Tensor.h>

/// What a frame of the world `talking_face` shows of its mouth. It knows how faces are drawn
/// (face_shape.hpp), not which sound they speak.
namespace svi::face {

/// Where the head is, in pixels, and how much darker than its skin the mouth is in green.
struct Place {
  double x = 0, y = 0;  // of its centre
  double side = 0;      // half its height
  double contrast = 0;
};

/// In a true frame [3, H, W] in [0, 1]: skin is redder than any ground.
Place find(const at::Tensor& frame);

/// How far the mouth is open in frames [3, T, H, W] in [0, 1]: 0 shut, 1 as wide as it gets; beyond
/// that where a frame is damaged. [T] fp64. Each frame's mouth is compared with its own skin, so
/// that a film that gets lighter or darker does not seem to open its mouth.
at::Tensor opening(const at::Tensor& frames, const Place& place);

}  // namespace svi::face
