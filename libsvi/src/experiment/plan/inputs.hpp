#pragma once

#include <map>
#include <string>

#include "svi/experiment/plan.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// The plan with the SHA-256 and path of every file that trained arms read errors from, and of
/// every file that metrics need, in [experiment] inputs, in its resolved document, too: so it
/// belongs to these very bytes. What metrics lack goes to Plan::missing. Where inputs says already
/// which bytes are meant, checks them.
///
/// Collective; throws ConfigError alike on all ranks.
Plan pin_inputs(const Plan& plan, const Registry& registry, const Communicator& world);

/// Path to SHA-256 of what [experiment] inputs lists. Throws ConfigError for an entry that is none.
std::map<std::string, std::string> pinned_inputs(const Plan& plan);

}  // namespace svi
