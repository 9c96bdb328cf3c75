#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// How a video is written.
struct VideoWriterOptions {
  std::int64_t fps_numerator = 16;   // frames per second as a fraction; Wan 2.1 videos have 16
  std::int64_t fps_denominator = 1;  // not 0
  std::int64_t width = 0;            // pixels of the frames given; 0: as the first frame
  std::int64_t height = 0;           // pixels; 0: as the first frame
  std::int64_t crf = 18;             // constant rate factor of x264, 0 (lossless) to 51
  std::string codec = "libx264";     // where FFmpeg lacks it: mpeg4
  std::int64_t upscale =
      1;  // each pixel becomes upscale x upscale, so that tiny videos can be looked at
};

/// Encodes frames into a file as they come: yuv420p, BT.601 limited range and tagged so, index in
/// front.
///
/// The file appears under its name when close() succeeds; a writer destroyed before leaves nothing
/// behind. Odd sizes get one more row or column, a copy of the last. Throws IoError for a disk or
/// an encoder that refuses. One thread at a time.
class SVI_EXPORT VideoWriter {
 public:
  explicit VideoWriter(const std::string& path, VideoWriterOptions options = {});  // throws IoError
  VideoWriter(VideoWriter&&) noexcept;
  VideoWriter& operator=(VideoWriter&&) noexcept;
  ~VideoWriter();

  /// Appends one frame, uint8 [3, H, W], or several, uint8 [T, 3, H, W]; RGB, on any device.
  void write(const at::Tensor& frames);
  /// Finishes the file and gives it its name. Requires at least one frame.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes a whole video, uint8 [T, 3, H, W].
SVI_EXPORT void write_video(const std::string& path, const at::Tensor& video,
                            VideoWriterOptions options = {});

}  // namespace svi
