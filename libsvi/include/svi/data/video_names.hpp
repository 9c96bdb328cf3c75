#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "svi/core/text.hpp"

namespace svi {

/// For messages.
inline constexpr std::string_view kVideoEndings =
    "mp4, m4v, mov, mkv, webm, avi, mpg, mpeg, ts, flv, ogv";

/// Whether a file is called like a video, whatever the case of its ending.
inline bool is_video(const std::filesystem::path& path) {
  static constexpr std::array<std::string_view, 11> kKnown = {
      ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".ogv"};
  return std::find(kKnown.begin(), kKnown.end(), lower_case(path.extension().string())) !=
         kKnown.end();
}

}  // namespace svi
