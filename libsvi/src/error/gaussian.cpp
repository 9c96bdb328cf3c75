#include "svi/error/gaussian.hpp"

#include <ATen/ATen.h>

#include "svi/tensor/error_structure.hpp"
#include "svi/tensor/random.hpp"

namespace svi {

std::vector<std::string> enum_names(GaussianPower) { return {"channel", "overall"}; }

void GaussianError::Config::describe(OptionVisitor& visit) {
  base.describe(visit);
  visit(power,
        {.key = "power",
         .help = "whether the noise has the power of the replaced error per channel, or overall"});
}

std::vector<BankedError> GaussianError::do_extract(const StepView& step) const {
  auto errors = base_.extract(step);
  for (std::size_t b = 0; b < errors.size(); ++b) {
    errors[b].residual = gaussian_like(errors[b].residual, config_.power == GaussianPower::channel,
                                       step.key(static_cast<std::int64_t>(b)));
  }
  return errors;
}

void FixedGaussianError::Config::describe(OptionVisitor& visit) {
  visit(rms, {.key = "rms", .help = "RMS of the noise", .unit = "latent std", .min = 0});
}

std::vector<BankedError> FixedGaussianError::do_extract(const StepView& step) const {
  const auto sigmas = step.sigma.to(at::kCPU, at::kDouble);  // [B]
  std::vector<BankedError> errors;
  for (std::int64_t b = 0; b < step.clean.size(0); ++b) {
    BankedError error;
    error.residual = normal(step.key(b), step.clean.sizes().slice(1)).mul_(config_.rms);
    error.sigma = sigmas[b].item<double>();
    error.data_gain = 1;
    error.noise_gain = 1;
    errors.push_back(std::move(error));
  }
  return errors;
}

}  // namespace svi
