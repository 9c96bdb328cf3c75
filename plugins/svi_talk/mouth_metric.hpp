#pragma once

#include <svi/plugin/registry.hpp>

/// Registers the metric `mouth`.
void add_mouth_metric(svi::Registrar& registrar);
