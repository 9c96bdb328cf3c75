#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "av.hpp"

namespace svi {

/// Frames as encoders take them, made of RGB frames of one size; private to io/.
class YuvFrame {
 public:
  /// Planes of 4:2:0 by BT.601, of an encoder that is open. Throws IoError naming `path`.
  YuvFrame(std::string path, const AVCodecContext* codec);

  /// Fills the planes by an image, uint8 [3, H, W] of even sizes, and gives the frame, which stays
  /// this object's.
  AVFrame* fill(const at::Tensor& image);

 private:
  std::string path_;
  av::Frame frame_;
  av::Scaler scaler_;
  at::Tensor packed_;  // uint8, R, G and B side by side, and room behind
};

}  // namespace svi
