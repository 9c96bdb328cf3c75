#pragma once

#include <string>
#include <string_view>

#include "orientation.hpp"

namespace svi {

/// What the container of a still image says, read without decoding a pixel; private to io/.
struct StillFile {
  /// FFmpeg's name of the container by its first bytes, whatever the file is called; null where it
  /// is no still image that is known here.
  const char* demuxer = nullptr;
  Orientation orientation = Orientation::upright;
  std::string problem;  // why the file must be refused; empty where nothing is wrong
};

/// JPEG, PNG, WebP, TIFF, GIF and BMP are walked from end to end; what has another container is not
/// looked at further, but a few kinds of pictures that cannot be read are named in `problem`.
StillFile inspect_still(std::string_view bytes);

/// Whether an mp4 or mov file ends within one of its parts. The index of a file in fragments does
/// not tell: it comes in pieces.
bool ends_within_a_box(std::string_view bytes);

}  // namespace svi
