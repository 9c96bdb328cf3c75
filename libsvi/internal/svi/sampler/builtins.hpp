#pragma once

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Registers the samplers of the library itself.
SVI_EXPORT void register_sampler(Registrar& registrar);

}  // namespace svi
