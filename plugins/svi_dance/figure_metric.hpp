#pragma once

#include <svi/plugin/registry.hpp>

/// Registers the metric `figure`.
void add_figure_metric(svi::Registrar& registrar);
