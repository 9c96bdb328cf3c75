#pragma once

#include <vector>

#include "pretrained/weight_counts.hpp"
#include "svi/pretrained/memory_plan.hpp"

namespace svi {

/// The plan and its verdict alone.
MemoryPlan plan_without_remedies(const MemoryRequest& request, const WeightCounts& counts,
                                 const MemoryBudget& budget);

/// What to change in a request that does not fit: each single setting that helps, those that leave
/// the film as it is first; if none does alone, the fewest of them in that order that do together.
std::vector<MemoryRemedy> find_remedies(const MemoryRequest& request, const WeightCounts& counts,
                                        const MemoryBudget& budget);

}  // namespace svi
