#pragma once

#include <optional>
#include <string>
#include <vector>

#include "media_file.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {

/// Decodes the video of one file, frame by frame, in the order of display, and watches for what is
/// missing or broken; private to io/. All methods throw IoError naming the file.
class FrameDecoder {
 public:
  explicit FrameDecoder(const std::string& path);

  /// Decodes the next frame into `frame`; false after the last.
  bool next(AVFrame* frame);

  /// Time stamp of a frame in seconds, where it has one.
  std::optional<double> stamp(const AVFrame* frame) const;
  /// Seconds that a frame is shown; the nominal time where it does not tell.
  double duration(const AVFrame* frame) const;
  /// Seconds from one frame to the next by the file's frame rate.
  double nominal() const;
  /// Width of a pixel by its height, 1 where the file does not tell.
  AVRational pixel_shape(AVFrame* frame) const;

  const MediaFile& file() const { return file_; }
  AVCodecContext* codec() const { return codec_.get(); }
  /// What the file says, sizes as coded.
  VideoInfo info() const;
  std::int64_t decoded() const { return decoded_; }
  /// After the last frame: that fewer came than there should be, or other errors; empty if none.
  std::string losses() const;

 private:
  void feed();
  [[noreturn]] void refuse(const std::string& what) const;
  /// Seconds of the whole file by its header; 0 where it does not tell.
  double promised() const;
  std::int64_t promised_frames() const;

  std::string path_;
  MediaFile file_;
  av::Codec codec_;
  av::Packet packet_{av_packet_alloc()};
  bool draining_ = false;
  std::int64_t decoded_ = 0;
  double reached_ = 0;  // seconds from the start at which the last packet of any stream ends
  std::string complaint_;
};

}  // namespace svi
