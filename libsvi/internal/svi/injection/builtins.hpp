#pragma once

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Adds the built-in injection policies: bernoulli, scheduled.
SVI_EXPORT void register_injection(Registrar& registrar);

}  // namespace svi
