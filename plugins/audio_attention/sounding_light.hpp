#pragma once

#include <svi/plugin/registry.hpp>

/// Registers the data source `sounding_light`.
void add_sounding_light(svi::Registrar& registrar);
