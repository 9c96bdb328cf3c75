#pragma once

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Adds the built-in error sources: one_step, rollout, residual, gaussian, gaussian_fixed,
/// shuffled, recorded, none.
SVI_EXPORT void register_error(Registrar& registrar);

}  // namespace svi
