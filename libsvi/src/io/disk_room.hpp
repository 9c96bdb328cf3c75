#pragma once

// What a user is told when a disk is full; private to io/.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace svi {

/// For the error code of a write that found no room: which limit was hit, how many bytes are needed
/// (0: not known) and free, and what to do. Empty for other codes.
std::string no_room(const std::filesystem::path& file, int code, std::int64_t needed);

/// Writes all bytes; throws IoError that names `shown`, for a full disk with what is needed and
/// free.
void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& shown);

/// Throws IoError if `needed` more bytes cannot fit where `file` is going to be: less is free, or
/// the process may not write files of that size.
void check_room(const std::filesystem::path& file, std::int64_t needed);

}  // namespace svi
