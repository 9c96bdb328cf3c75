#include "svi/pretrained/folder_settings.hpp"

#include "svi/config/parse.hpp"
#include "svi/io/data_folder.hpp"

namespace svi {

Document folder_settings(const std::filesystem::path& folder) {
  constexpr const char* kFile = "folder.ini";
  for (const auto& place : {folder, weights_folder(kDefaultFolder)}) {
    if (std::filesystem::is_regular_file(place / kFile))
      return Document::read((place / kFile).string());
  }
  return {};
}

FolderConfig folder_config(const std::filesystem::path& folder) {
  return parse_config<FolderConfig>(folder_settings(folder), "folder");
}

FolderConfig default_folder_config() { return folder_config(weights_folder(kDefaultFolder)); }

}  // namespace svi
