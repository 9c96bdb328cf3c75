#pragma once

#include "svi/injection/bernoulli.hpp"

namespace svi::detail {

/// One draw of the Bernoulli policy with factors on its probabilities and scales.
Injection draw_bernoulli(const BernoulliInjection::Config& config, const SampleView& sample,
                         double probability_factor, double strength_factor);

}  // namespace svi::detail
