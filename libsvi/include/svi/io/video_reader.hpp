#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Which matrix turns Y'CbCr into RGB.
enum class ColorMatrix {
  tagged,  // what the file says; untagged files count as BT.601, as OpenCV and decord take them
  bt601,
  bt709,
};
/// "tagged", "bt601", "bt709".
SVI_EXPORT std::vector<std::string> enum_names(ColorMatrix);

/// How a video is read.
struct VideoReaderOptions {
  /// Colour conversion by FFmpeg's C code instead of SIMD code, which differs by a few levels.
  /// Published values of frame metrics come from it; slower. While the converter is made, the CPU
  /// flags of FFmpeg are off in the whole process.
  bool exact_c_path = false;
  ColorMatrix matrix = ColorMatrix::tagged;  // for the conversion to RGB
  /// Frames per second that next() gives: at each k / fps after the first frame, the last frame
  /// that is not later by its time stamp. 0: the file's frames, each once.
  double fps = 0;
};

/// Something about a file that its user should be told.
struct MediaNote {
  bool warning = false;  // less was read than the file should hold, or other than it asks for
  std::string text;      // begins with the file
};

/// What a file says of its video.
struct VideoInfo {
  std::int64_t width = 0;            // pixels of the frames that are given: upright, square
  std::int64_t height = 0;           // pixels
  std::int64_t fps_numerator = 0;    // frames per second of the file as a fraction
  std::int64_t fps_denominator = 1;  // not 0
  std::int64_t frames = 0;           // that are given, an estimate; 0 if the file does not tell
  bool counted = false;              // the container counts its frames: `frames` is no estimate
  double fps() const {               // frames per second
    return static_cast<double>(fps_numerator) / static_cast<double>(fps_denominator);
  }
};

/// Decodes the video of a file, frame by frame, in the order of display.
///
/// Frames are uint8 [3, H, W], RGB, on the CPU: upright by EXIF or the display matrix, with square
/// pixels, over white where they are transparent. Untagged video counts as BT.601 of limited range.
/// All methods throw IoError naming the file if it is missing, broken or has no video; a video that
/// ends early is read as far as it goes, which notes() tells. One thread at a time.
class SVI_EXPORT VideoReader {
 public:
  explicit VideoReader(const std::string& path, VideoReaderOptions options = {});  // throws IoError
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;
  ~VideoReader();

  const VideoInfo& info() const;  // as the container tells it
  /// What was met so far; complete after the last frame.
  const std::vector<MediaNote>& notes() const;
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

/// All frames, uint8 [T, 3, H, W]; logs the notes.
SVI_EXPORT at::Tensor read_video(const std::string& path, VideoReaderOptions options = {});

/// A still image (png, jpg, webp, tiff, bmp, gif) or the first frame of a video, uint8 [3, H, W];
/// chroma of stills is interpolated; logs the notes.
SVI_EXPORT at::Tensor read_image(const std::string& path);

/// Why a file that opens holds no video: only sound, only a cover picture. Empty where it holds
/// one, and where it does not open. Looks at the header alone.
SVI_EXPORT std::string no_video_reason(const std::string& path);

/// Writes notes to the log.
SVI_EXPORT void log_notes(const std::vector<MediaNote>& notes);

}  // namespace svi
