#pragma once

#include "svi/core/export.hpp"

namespace svi {

class Registrar;

/// Registers the metrics that the library provides.
SVI_EXPORT void register_metric(Registrar& registrar);

}  // namespace svi
