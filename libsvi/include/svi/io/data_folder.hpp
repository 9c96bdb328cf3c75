#pragma once

#include <filesystem>

#include "svi/core/export.hpp"

namespace svi {

/// The folder of what comes with the library (`pocket/` with its weights): share/svi/data of this
/// installation, or data/ of the source tree it was built in.
SVI_EXPORT std::filesystem::path data_folder();

}  // namespace svi
