#pragma once

#include <cstdint>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// Processors of this machine.
SVI_EXPORT std::int64_t processors();

/// What is wrong with so many threads on this machine, with what would do; empty if nothing.
SVI_EXPORT std::string threads_problem(std::int64_t threads);

}  // namespace svi
