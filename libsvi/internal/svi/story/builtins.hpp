#pragma once

#include "svi/core/export.hpp"

namespace svi {

class Registrar;

/// Registers the image sources and storytellers that the library provides.
SVI_EXPORT void register_story(Registrar& registrar);

}  // namespace svi
