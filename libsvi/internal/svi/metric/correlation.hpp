#pragma once

#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Pearson's correlation of pairs, in [-1, 1]; NaN with fewer than two pairs or where one side is
/// constant. Throws Error if the two are not equally long.
SVI_EXPORT double pearson(const std::vector<double>& a, const std::vector<double>& b);

/// Spearman's: Pearson's correlation of the ranks, equal values sharing the mean of theirs.
SVI_EXPORT double spearman(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace svi
