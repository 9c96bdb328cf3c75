#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace svi {

/// The captions of a folder's videos by file name, from `<name>.csv` in it; private to data/.
///
/// The table has the columns `Filename` and `Video Description`, in any case, with commas,
/// semicolons, tabs or bars between them. A name that differs only by case or lacks its ending is
/// taken with a warning; so are rows passed over. Throws IoError with file and line for what may
/// hide a caption: a field too many, a quote that swallows a row, a text that is not UTF-8.
std::map<std::string, std::string> read_captions(const std::filesystem::path& folder,
                                                 const std::string& name,
                                                 const std::vector<std::filesystem::path>& videos);

}  // namespace svi
