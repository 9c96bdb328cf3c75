#pragma once

#include "svi/plugin/registry.hpp"

namespace svi {

/// Registers the collectives of the library: `mpi`.
SVI_EXPORT void register_parallel(Registrar& registrar);

}  // namespace svi
