#pragma once

#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// Bytes as text, RFC 4648, with padding: for data URIs.
SVI_EXPORT std::string base64(std::string_view bytes);

}  // namespace svi
