#pragma once

#include <optional>

#include "svi/core/export.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Registers everything the library itself provides, one call per folder, and the default plugin.
SVI_EXPORT void register_builtins(Registry& registry);

/// Loads the plugin that the default folder of weights names, so that nobody has to: its world, its
/// metrics and its text encoder. Changes nothing where it is loaded already. One that does not load
/// is reported as a warning.
SVI_EXPORT std::optional<LoadedPlugin> load_default_plugin(Registry& registry);

/// Loads every plugin in the plugin folders; one that does not load is reported as a warning.
SVI_EXPORT void load_installed_plugins(Registry& registry);

}  // namespace svi
