#pragma once

#include <cstdint>

#include "svi/core/export.hpp"
#include "svi/variant/variant.hpp"

namespace svi {

/// Throws ConfigError, with the nearest values that work, if the plan's motion frames leave nothing
/// to generate in a clip of so many frames. `stride`: the codec's temporal stride.
SVI_EXPORT void check_motion(const ClipPlan& plan, std::int64_t frames, std::int64_t stride);

}  // namespace svi
