#pragma once

#include <filesystem>
#include <string>

#include "svi/config/document.hpp"
#include "svi/config/option.hpp"
#include "svi/core/export.hpp"

namespace svi {

/// `[folder]` of the folder.ini that lies beside weights: what a plugin must bring to use them.
struct FolderConfig {
  std::string plugin;
  std::string text_encoder;
  std::string world;

  void describe(OptionVisitor& visit) {
    visit(plugin, {.key = "plugin", .help = "plugin that brings text encoder and world, by name"});
    visit(text_encoder, {.key = "text_encoder", .help = "text encoder of a small transformer"});
    visit(world, {.key = "world", .help = "data source whose scenes the weights have learnt"});
  }
};

/// The folder.ini of a folder of weights that was trained here. Beside [folder] it has the sections
/// of a film (`svi-generate --set`): what is usual with these weights. A folder without one is used
/// as the default folder is. Empty if that has none either. Throws ConfigError naming the file.
SVI_EXPORT Document folder_settings(const std::filesystem::path& folder);

/// `[folder]` of those settings.
SVI_EXPORT FolderConfig folder_config(const std::filesystem::path& folder);

/// `[folder]` of the default folder: the plugin that comes with the weights that come with svi.
SVI_EXPORT FolderConfig default_folder_config();

}  // namespace svi
