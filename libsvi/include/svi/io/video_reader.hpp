#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// Which matrix turns Y'CbCr into RGB.
enum class ColorMatrix {
  tagged,  // what the file says; untagged files count as BT.601, as OpenCV and decord take them
  bt601,
  bt709,
};

/// How a video is read.
struct VideoReaderOptions {
  /// Colour conversion by FFmpeg's C code instead of SIMD code, which differs by a few levels.
  /// Published values of frame metrics come from it; slower. While the converter is made, the CPU
  /// flags of FFmpeg are off in the whole process.
  bool exact_c_path = false;
  ColorMatrix matrix = ColorMatrix::tagged;  // for the conversion to RGB
};

/// What a file says of its video.
struct VideoInfo {
  std::int64_t width = 0;            // pixels
  std::int64_t height = 0;           // pixels
  std::int64_t fps_numerator = 0;    // frames per second as a fraction
  std::int64_t fps_denominator = 1;  // not 0
  std::int64_t frames = 0;           // an estimate; 0 if the file does not tell
  double fps() const {               // frames per second
    return static_cast<double>(fps_numerator) / static_cast<double>(fps_denominator);
  }
};

/// Decodes the first video stream of a file, frame by frame, in the order of display.
///
/// Frames are uint8 [3, H, W], RGB, on the CPU, at the coded size: a rotation tag is not applied.
/// All methods throw IoError naming the file if it is missing, cut short, broken or has no video.
/// One thread at a time.
class SVI_EXPORT VideoReader {
 public:
  explicit VideoReader(const std::string& path, VideoReaderOptions options = {});  // throws IoError
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;
  ~VideoReader();

  const VideoInfo& info() const;  // as the container tells it
  /// The next frame, uint8 [3, H, W]; nothing after the last.
  std::optional<at::Tensor> next();
  /// Index of the frame that next() will return.
  std::int64_t position() const;
  /// Frames first .. first + count - 1, uint8 [count, 3, H, W]; decodes from the start where
  /// `first` lies behind the position. Throws IoError if the video is shorter.
  at::Tensor read(std::int64_t first, std::int64_t count);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// All frames, uint8 [T, 3, H, W].
SVI_EXPORT at::Tensor read_video(const std::string& path, VideoReaderOptions options = {});

/// A still image (png, jpg, webp, bmp) or the first frame of a video, uint8 [3, H, W]; transparency
/// is dropped, chroma is interpolated.
SVI_EXPORT at::Tensor read_image(const std::string& path);

}  // namespace svi
