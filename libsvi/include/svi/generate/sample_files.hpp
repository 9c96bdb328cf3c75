#pragma once

#include <filesystem>

#include "svi/core/export.hpp"

namespace svi {

/// The files of one sample.
struct SampleFiles {
  std::filesystem::path image;    // the picture that the film starts from
  std::filesystem::path prompts;  // the file of its prompts
};

/// Finds `frame.jpg`, `frame.png` or another picture called `frame`, else the first picture by
/// name, and `prompt.txt`, in a folder; letters may be of any case. Throws IoError where one is
/// missing.
SVI_EXPORT SampleFiles find_sample(const std::filesystem::path& folder);

}  // namespace svi
