#pragma once

#include "svi/core/export.hpp"

namespace svi {

class Registrar;

/// Registers the diagnostics that the library provides.
SVI_EXPORT void register_diagnose(Registrar& registrar);

}  // namespace svi
