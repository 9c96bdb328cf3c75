#pragma once

#include <svi/plugin/registry.hpp>

/// Registers the data source `talk_folder`.
void add_talk_folder(svi::Registrar& registrar);
