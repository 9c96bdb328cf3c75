#pragma once

#include <cstdint>
#include <vector>

#include "svi/parallel/collective.hpp"
#include "svi/tensor/banked_error.hpp"

namespace svi::detail {

/// Every rank's errors on every rank, ordered by sample. Collective. `most` bounds the number per
/// rank and is equal on all ranks; all residuals have one shape.
std::vector<BankedError> exchange_errors(const std::vector<BankedError>& own, std::int64_t most,
                                         Collective& collective);

}  // namespace svi::detail
