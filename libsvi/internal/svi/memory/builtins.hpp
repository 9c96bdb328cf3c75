#pragma once

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Adds the built-in memory bank: time_grid.
SVI_EXPORT void register_memory(Registrar& registrar);

}  // namespace svi
