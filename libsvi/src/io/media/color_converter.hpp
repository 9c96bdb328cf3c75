#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "av.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {

/// Turns decoded frames of any pixel format into RGB tensors of the same size; private to io/.
///
/// Every level is the nearest to the exact value. What is transparent shows white, half as much
/// where it is half transparent.
class ColorConverter {
 public:
  /// `interpolate_chroma`: for stills; videos take the nearest chroma sample, as other readers do,
  /// and so come back the same however often they are encoded.
  ColorConverter(std::string path, VideoReaderOptions options, bool interpolate_chroma)
      : path_(std::move(path)), options_(options), interpolate_chroma_(interpolate_chroma) {}

  /// uint8 [3, H, W]. Throws IoError if the size changes from one frame to the next.
  at::Tensor to_rgb(const AVFrame* frame);
  /// True once a pixel was not opaque.
  bool met_transparency() const { return met_transparency_; }

 private:
  void prepare(const AVFrame* frame);
  int flags() const;
  const int* coefficients(const AVFrame* frame) const;

  std::string path_;
  VideoReaderOptions options_;
  bool interpolate_chroma_;
  av::Scaler scaler_;
  int width_ = 0;
  int height_ = 0;
  int format_ = -1;
  bool alpha_ = false;
  bool deep_ = false;  // more than 8 bits that swscale would cut off instead of round
  bool met_transparency_ = false;
};

/// What a reader should know of a frame's colours and is not done with them; empty if nothing.
std::string colour_note(const AVFrame* frame);

}  // namespace svi
