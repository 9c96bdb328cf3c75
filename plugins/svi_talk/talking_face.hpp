#pragma once

#include <svi/plugin/registry.hpp>

/// Registers the data source `talking_face`.
void add_talking_face(svi::Registrar& registrar);
