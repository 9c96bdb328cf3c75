#include "svi/error/mixed.hpp"

#include <algorithm>

namespace svi {

std::vector<BankedError> MixedError::do_extract(const StepView& step) const {
  auto errors = one_step_.extract(step);
  for (auto& error : errors) error.sigma = std::max(error.sigma, sigma_floor_);
  return errors;
}

}  // namespace svi
