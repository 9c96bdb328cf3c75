#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// Where `text` stops being UTF-8; its size if nowhere.
SVI_EXPORT std::size_t utf8_end(std::string_view text);

/// The text with Latin letters in lower case, all else as it is.
SVI_EXPORT std::string lower_case(std::string_view text);

}  // namespace svi
