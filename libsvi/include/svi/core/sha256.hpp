#pragma once

#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// SHA-256 of the bytes as 64 hexadecimal digits: identifies plugins and weights in provenance.
SVI_EXPORT std::string sha256_hex(std::string_view bytes);

}  // namespace svi
