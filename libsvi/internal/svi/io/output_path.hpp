#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Refuses at the start what could not be written at the end.
///
/// Throws ConfigError if `file` names no file, has a name that leaves no room for that of the
/// temporary file, or is a link, a folder or a device; if nothing can be written to its folder, or
/// if that is missing and shall not be made. A file that is there is no fault. Leaves nothing
/// behind.
SVI_EXPORT void check_output_file(const std::filesystem::path& file, bool makes_folder = false);

/// The same, and refuses a file that is there already.
SVI_EXPORT void check_new_file(const std::filesystem::path& file);

/// As check_output_file, of a folder that may still have to be made, with those above it.
SVI_EXPORT void check_output_folder(const std::filesystem::path& folder);

/// Whether `file` is `folder` or lies in it, links followed.
SVI_EXPORT bool is_below(const std::filesystem::path& file, const std::filesystem::path& folder);

/// The longest name, in bytes, that a file of AtomicFile can have in `folder`, or in the nearest
/// folder above that is there.
SVI_EXPORT std::size_t longest_name(const std::filesystem::path& folder);

}  // namespace svi
