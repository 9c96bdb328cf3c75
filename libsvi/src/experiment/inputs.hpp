#pragma once

#include "svi/experiment/plan.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// The plan with [experiment] inputs filled in: "SHA-256 path" of every file that errors of a
/// trained arm are read from, hashed on rank 0. So the content is part of what `--resume` compares,
/// and of resolved.ini, which will not run with another. Collective. Throws ConfigError, alike on
/// all ranks, for a file that is missing or not the one asked for.
Plan pin_inputs(const Plan& plan, const Registry& registry, const Communicator& world);

}  // namespace svi
