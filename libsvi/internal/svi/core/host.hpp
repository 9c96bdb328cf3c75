#pragma once

#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// This machine's name.
SVI_EXPORT std::string host_name();

}  // namespace svi
