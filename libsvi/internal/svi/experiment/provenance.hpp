#pragma once

#include <string>
#include <utility>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// What made a result: commit, versions, ranks, device, plugin and weight hashes, when and where.
/// Names and texts, in the order in which they are shown.
SVI_EXPORT std::vector<std::pair<std::string, std::string>> provenance(const Plan& plan,
                                                                       const Registry& registry,
                                                                       const Communicator& world,
                                                                       const std::string& device);

}  // namespace svi
