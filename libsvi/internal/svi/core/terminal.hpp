#pragma once

#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// Columns of the terminal behind a file descriptor; `fallback` if it is none, or does not say.
SVI_EXPORT int terminal_columns(int descriptor, int fallback = 80);

/// The longest beginning of a line of UTF-8 text that takes at most so many columns; East Asian
/// wide characters and emoji take two, combining ones none. A line that is cut ends in "...", where
/// there is room for it.
SVI_EXPORT std::string fit_columns(std::string_view line, int columns);

}  // namespace svi
