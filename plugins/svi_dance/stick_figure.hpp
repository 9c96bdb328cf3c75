#pragma once

#include <svi/plugin/registry.hpp>

/// Registers the data source `stick_figure`.
void add_stick_figure(svi::Registrar& registrar);
