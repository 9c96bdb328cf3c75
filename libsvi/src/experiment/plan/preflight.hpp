#pragma once

#include "svi/experiment/plan.hpp"

namespace svi {

/// Throws ConfigError if a name in the plan is too long for the files that get it. Part of
/// --validate.
void check_names(const Plan& plan);

/// Throws ConfigError or IoError for whatever the jobs of the plan would find wrong with weights,
/// clips and data, as far as headers and a first sample tell. Changes nothing.
void check_ahead(const Plan& plan, const Registry& registry);

}  // namespace svi
