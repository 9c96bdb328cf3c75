#pragma once

#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// What a loaded plugin says of itself, and where it came from.
struct LoadedPlugin {
  std::string name, version, path, sha256;  // as the plugin tells; of its file
};

/// Opens a shared library, compares its descriptor (magic, then ABI string) and only then lets it
/// register. The file that the registry has already is not registered again. Never unloaded:
/// objects of its classes may live as long as the process. Throws
/// PluginError: no such file, not a library, no descriptor, another ABI, a name already taken.
SVI_EXPORT LoadedPlugin load_plugin(const std::string& path, Registry& registry);

/// The file of a plugin given by name or path. A name is looked for in `SVI_PLUGIN_PATH` (colon
/// separated), then beside the program in `../lib/svi/plugins`. Throws PluginError listing where it
/// looked.
SVI_EXPORT std::string find_plugin(const std::string& name_or_path);

/// SHA-256 of the file that holds this library's code; computed once.
SVI_EXPORT const std::string& library_sha256();

/// Every plugin file in the folders that `find_plugin` searches.
SVI_EXPORT std::vector<std::string> installed_plugins();

}  // namespace svi
