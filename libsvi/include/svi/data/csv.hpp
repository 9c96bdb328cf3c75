#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// The fields of a text in which `separator` stands between them (RFC 4180), row by row: quoted
/// fields may hold separators, line breaks and doubled quotes; lines end with LF or CRLF; a byte
/// order mark and empty lines are passed over. `file` only names it in errors; `lines` receives the
/// line on which each row begins. Throws IoError with the line where a quoted field has no end or
/// is followed by anything but a separator.
SVI_EXPORT std::vector<std::vector<std::string>> parse_csv(std::string_view text,
                                                           const std::string& file,
                                                           char separator = ',',
                                                           std::vector<int>* lines = nullptr);

}  // namespace svi
