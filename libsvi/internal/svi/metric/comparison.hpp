#pragma once

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Mean of one set of films minus that of another, over the films that both have.
struct PairedDifference {
  double mean = 0, low = 0, high = 0;  // difference and the ends of its 95 % interval
  double p = 1;                        // two-sided, not corrected
  std::int64_t count = 0;              // pairs
};

/// a - b, pair by pair, by 10,000 bootstrap resamples of the pairs (Efron 1979); pairs with a NaN
/// are left out, and all is NaN where none remains. The numbers are those of analysis/compare for
/// one seed: p is twice the share of resamples on the other side of 0, and never less than 2^(1 -
/// count), which is what a sign-flip test of so few pairs can reach. Throws Error if the two are
/// not equally long.
SVI_EXPORT PairedDifference paired_difference(const std::vector<double>& a,
                                              const std::vector<double>& b);

/// p-values corrected for how many they are (Holm 1979), in the order given; NaNs stay and do not
/// count.
SVI_EXPORT std::vector<double> holm(const std::vector<double>& p);

}  // namespace svi
