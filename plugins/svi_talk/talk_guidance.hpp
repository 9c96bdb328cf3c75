#pragma once

#include <svi/plugin/registry.hpp>

/// Registers the guidance `talk`.
void add_talk_guidance(svi::Registrar& registrar);
