#pragma once

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Registers everything the library itself provides: one call per folder.
SVI_EXPORT void register_builtins(Registry& registry);

/// Loads every plugin in the plugin folders; one that does not load is reported as a warning.
SVI_EXPORT void load_installed_plugins(Registry& registry);

}  // namespace svi
