#pragma once

#include <filesystem>

#include "svi/core/export.hpp"

namespace svi {

/// The files of one sample; empty where there is none.
struct SampleFiles {
  std::filesystem::path image;    // the picture that the film starts from; never empty
  std::filesystem::path prompts;  // the file of its prompts
  std::filesystem::path end;      // the picture that it ends with
  std::filesystem::path pose;     // the video of its poses
  std::filesystem::path audio;    // its sound
};

/// Finds in a folder: `frame.jpg`, `frame.png` or another picture called `frame`, else the first
/// picture by name that is not called `end`; `prompt.txt`; a picture called `end`; a video called
/// `pose`; the first sound file by name. Letters may be of any case. Throws IoError where there is
/// no picture to start from.
SVI_EXPORT SampleFiles find_sample(const std::filesystem::path& folder);

}  // namespace svi
