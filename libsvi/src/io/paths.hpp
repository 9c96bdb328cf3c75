#pragma once

#include <filesystem>

namespace svi {

/// The folder that a file is in; "." for a bare name.
inline std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace svi
