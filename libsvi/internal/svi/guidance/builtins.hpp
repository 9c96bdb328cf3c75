#pragma once

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Registers the guidances of the library itself.
SVI_EXPORT void register_guidance(Registrar& registrar);

}  // namespace svi
