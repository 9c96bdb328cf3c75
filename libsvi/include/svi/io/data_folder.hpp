#pragma once

#include <filesystem>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// The folder of weights that is used where none is named. It comes with svi.
inline constexpr const char* kDefaultFolder = "pocket";

/// The folder of what comes with the library (weights): share/svi/data of this installation, or
/// data/ of the source tree it was built in.
SVI_EXPORT std::filesystem::path data_folder();

/// The folder of weights of that name or path: kDefaultFolder is the one in data_folder().
SVI_EXPORT std::filesystem::path weights_folder(const std::string& name);

}  // namespace svi
