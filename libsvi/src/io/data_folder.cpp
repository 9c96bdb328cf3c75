#include "svi/io/data_folder.hpp"

#include <dlfcn.h>

namespace svi {

std::filesystem::path data_folder() {
  namespace fs = std::filesystem;
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&data_folder), &info) != 0 &&
      info.dli_fname != nullptr) {
    const auto installed = fs::path(info.dli_fname).parent_path() / ".." / "share" / "svi" / "data";
    if (fs::exists(installed)) return fs::canonical(installed);
  }
  return fs::path(SVI_SOURCE_DATA_DIR);
}

std::filesystem::path weights_folder(const std::string& name) {
  return name == kDefaultFolder ? data_folder() / name : std::filesystem::path(name);
}

}  // namespace svi
