#pragma once

#include <string>

#include "av.hpp"
#include "still_file.hpp"
#include "svi/core/check.hpp"

namespace svi {

/// Sound, or sound and its cover, but no video.
class NoVideo final : public IoError {
 public:
  using IoError::IoError;
};

/// A file of pictures, opened by what it holds and not by its name; private to io/.
struct MediaFile {
  av::Input input;
  AVStream* stream = nullptr;  // the video, or the still image
  const AVCodec* decoder = nullptr;
  StillFile still;     // empty for videos
  bool image = false;  // holds one picture by its nature

  /// Throws IoError naming the file: missing, of an unknown kind, a damaged still image, without a
  /// video. Cover pictures of sound files are no video. With `only_header` streams are as the
  /// header says, which is quick.
  explicit MediaFile(const std::string& path, bool only_header = false);
};

}  // namespace svi
