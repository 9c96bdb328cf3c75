#pragma once

#include "svi/core/export.hpp"

namespace svi {

class Registrar;

/// Registers the data sources that the library provides.
SVI_EXPORT void register_data(Registrar& registrar);

}  // namespace svi
