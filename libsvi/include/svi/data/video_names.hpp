#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
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

/// The videos that a shell pattern names, in its order.
SVI_EXPORT std::vector<std::filesystem::path> videos_matching(const std::string& pattern);

/// The videos that a text file lists, one a line; relative ones lie beside it, empty lines and
/// those that begin with '#' count for nothing. Throws ConfigError naming list and line of what is
/// no video or not there; `where` is what named the list.
SVI_EXPORT std::vector<std::filesystem::path> listed_videos(const std::string& where,
                                                            const std::filesystem::path& list);

}  // namespace svi
