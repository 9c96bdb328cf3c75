#pragma once

#include <string>

#include "av.hpp"
#include "svi/io/sound.hpp"

namespace svi {

/// The sound of a film while it is written: AAC beside the video; private to io/.
class SoundEncoder {
 public:
  /// Adds a stream to `output`, whose header is not written yet. Borrows it. Throws IoError naming
  /// `path`.
  SoundEncoder(std::string path, AVFormatContext* output, Sound sound);

  /// Writes all sound before this moment, in seconds of the film. More of it than there is, is
  /// silent.
  void write_until(double seconds);
  /// Ends the sound at this moment, cut or as short as it is.
  void finish(double seconds);

 private:
  void encode(std::int64_t end);
  void drain();

  std::string path_;
  AVFormatContext* output_;
  Sound sound_;
  AVStream* stream_ = nullptr;
  av::Codec codec_;
  av::Frame frame_{av_frame_alloc()};
  av::Packet packet_{av_packet_alloc()};
  std::int64_t position_ = 0;  // samples that the encoder has
};

}  // namespace svi
