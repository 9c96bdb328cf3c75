#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// SHA-256 of the bytes as 64 hexadecimal digits: identifies plugins and weights in provenance.
SVI_EXPORT std::string sha256_hex(std::string_view bytes);

/// The same of a file's content, read piece by piece. Throws IoError if it cannot be read.
SVI_EXPORT std::string sha256_file(const std::filesystem::path& path);

}  // namespace svi
