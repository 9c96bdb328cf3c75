#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// The fields of a comma-separated text (RFC 4180), row by row: quoted fields may hold commas, line
/// breaks and doubled quotes; lines end with LF or CRLF; a byte order mark and empty lines are
/// passed over. `file` only names it in errors. Throws IoError with the line where a quoted field
/// has no end or is followed by anything but a comma.
SVI_EXPORT std::vector<std::vector<std::string>> parse_csv(std::string_view text,
                                                           const std::string& file);

}  // namespace svi
