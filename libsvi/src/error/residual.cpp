#include "svi/error/residual.hpp"

#include <ATen/ATen.h>

namespace svi {

void ResidualError::Config::describe(OptionVisitor& visit) {
  visit(scale, {.key = "scale", .help = "factor on every error"});
}

std::vector<BankedError> ResidualError::do_extract(const StepView& step) const {
  const auto difference = (step.predicted - step.target).to(at::kFloat);  // [B, C, F, h, w]
  const auto sigmas = step.sigma.to(at::kCPU, at::kDouble);               // [B]
  std::vector<BankedError> errors;
  for (std::int64_t b = 0; b < difference.size(0); ++b) {
    BankedError error;
    error.residual = difference[b];
    error.sigma = sigmas[b].item<double>();
    error.data_gain = -config_.scale;
    error.noise_gain = config_.scale;
    errors.push_back(std::move(error));
  }
  return errors;
}

std::vector<BankedError> NoError::do_extract(const StepView&) const { return {}; }

}  // namespace svi
