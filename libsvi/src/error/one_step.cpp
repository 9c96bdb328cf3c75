#include "svi/error/one_step.hpp"

#include <ATen/ATen.h>

namespace svi {

namespace {

/// Sample `b` of a tensor that may be undefined or zero there: undefined in both cases.
at::Tensor injected(const at::Tensor& error, std::int64_t b) {
  if (!error.defined()) return {};
  const auto sample = error[b];  // [C, F, h, w]
  return sample.count_nonzero().item<std::int64_t>() > 0 ? sample.detach() : at::Tensor();
}

}  // namespace

std::vector<std::string> enum_names(ErrorDefinition) { return {"reference", "clean"}; }
std::vector<std::string> enum_names(MeanRemoval) { return {"none", "channel"}; }

void OneStepError::Config::describe(OptionVisitor& visit) {
  visit(definition, {.key = "definition",
                     .help = "what an estimate is compared with; reference: the point that the "
                             "target velocity leads to; clean: the tensors before injection"});
  visit(scale, {.key = "scale", .help = "factor on every error"});
  visit(remove_mean, {.key = "remove_mean",
                      .help = "channel: subtract each residual's mean over frames and pixels per "
                              "channel, so that no tint is recycled"});
}

std::vector<BankedError> OneStepError::do_extract(const StepView& step) const {
  auto difference = (step.predicted - step.target).to(at::kFloat);  // [B, C, F, h, w]
  if (config_.remove_mean == MeanRemoval::channel) {
    difference = difference - difference.mean({2, 3, 4}, true);
  }
  const auto sigmas = step.sigma.to(at::kCPU, at::kDouble);  // [B]
  std::vector<BankedError> errors;
  for (std::int64_t b = 0; b < difference.size(0); ++b) {
    const double sigma = sigmas[b].item<double>();
    BankedError error;
    error.residual = difference[b];
    error.sigma = sigma;
    error.data_gain = -sigma * config_.scale;
    error.noise_gain = (1 - sigma) * config_.scale;
    if (config_.definition == ErrorDefinition::clean) {
      const auto latent_error = injected(step.latent_error, b);  // [C, F, h, w]
      const auto noise_error = injected(step.noise_error, b);    // [C, F, h, w]
      if (latent_error.defined()) {
        error.data_offset = latent_error * ((1 - sigma) * config_.scale);
        error.noise_offset = error.data_offset;
      }
      if (noise_error.defined()) {
        const auto scaled = noise_error * config_.scale;
        error.noise_offset = error.noise_offset.defined() ? error.noise_offset + scaled : scaled;
      }
    }
    errors.push_back(std::move(error));
  }
  return errors;
}

}  // namespace svi
