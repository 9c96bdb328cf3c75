#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "av.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {

/// Turns decoded frames of any pixel format into RGB tensors of the same size; private to io/.
class ColorConverter {
 public:
  /// `interpolate_chroma`: for stills; videos take the nearest chroma sample, as other readers do.
  ColorConverter(std::string path, VideoReaderOptions options, bool interpolate_chroma)
      : path_(std::move(path)), options_(options), interpolate_chroma_(interpolate_chroma) {}

  /// uint8 [3, H, W]. Throws IoError if the size changes from one frame to the next.
  at::Tensor to_rgb(const AVFrame* frame);

 private:
  void prepare(const AVFrame* frame);
  const int* coefficients(const AVFrame* frame) const;

  std::string path_;
  VideoReaderOptions options_;
  bool interpolate_chroma_;
  av::Scaler scaler_;
  int width_ = 0;
  int height_ = 0;
  int format_ = -1;
};

}  // namespace svi
