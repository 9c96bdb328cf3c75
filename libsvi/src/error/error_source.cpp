#include "svi/error/error_source.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/tensor/dims.hpp"

namespace svi {

namespace {

void check_like(const at::Tensor& tensor, const at::Tensor& clean, std::string_view name) {
  SVI_CHECK(tensor.defined(), name, " is missing");
  SVI_CHECK(tensor.sizes() == clean.sizes(), name, " ", tensor.sizes(), " vs clean ",
            clean.sizes());
}

void check_errors(const std::vector<BankedError>& errors, const at::Tensor& clean) {
  SVI_CHECK(errors.empty() || static_cast<std::int64_t>(errors.size()) == clean.size(0),
            "an error source returned ", errors.size(), " errors for ", clean.size(0), " samples");
  for (const auto& error : errors) {
    dims<4>(error.residual, "residual [C, F, h, w]");
    SVI_CHECK(!error.residual.requires_grad(), "an error source must return detached tensors");
  }
}

}  // namespace

ErrorSource::~ErrorSource() = default;

std::vector<BankedError> ErrorSource::extract(const StepView& step) const {
  const auto [B, C, F, h, w] = dims<5>(step.clean, "clean [B, C, F, h, w]");
  check_like(step.noise, step.clean, "noise");
  check_like(step.noisy, step.clean, "noisy");
  check_like(step.target, step.clean, "target");
  check_like(step.predicted, step.clean, "predicted");
  SVI_CHECK(dims<1>(step.sigma, "sigma [B]")[0] == B, "sigma ", step.sigma.sizes(), " vs ", B,
            " samples");
  if (step.latent_error.defined()) check_like(step.latent_error, step.clean, "latent_error");
  if (step.noise_error.defined()) check_like(step.noise_error, step.clean, "noise_error");
  const c10::NoGradGuard no_grad;
  auto errors = do_extract(step);
  check_errors(errors, step.clean);
  return errors;
}

std::vector<BankedError> ErrorSource::extract(const RolloutView& rollout) const {
  dims<5>(rollout.truth, "truth [B, C, F, h, w]");
  check_like(rollout.generated, rollout.truth, "generated");
  const c10::NoGradGuard no_grad;
  auto errors = do_extract_rollout(rollout);
  check_errors(errors, rollout.truth);
  return errors;
}

std::vector<BankedError> ErrorSource::preload(at::IntArrayRef latent) const {
  SVI_CHECK(latent.size() == 4, "latent sizes ", latent, " are no [C, F, h, w]");
  const c10::NoGradGuard no_grad;
  auto errors = do_preload(latent);
  for (const auto& error : errors) {
    const auto [C, F, h, w] = dims<4>(error.residual, "residual [C, F, h, w]");
    SVI_CHECK(C == latent[0] && F <= latent[1] && h == latent[2] && w == latent[3], "an error ",
              error.residual.sizes(), " does not fit a latent ", latent);
  }
  return errors;
}

std::int64_t ErrorSource::do_rollouts_due(std::int64_t) const { return 0; }
double ErrorSource::do_rollout_chain_probability() const { return 0; }
std::int64_t ErrorSource::do_rollout_max_depth() const { return 0; }
std::vector<BankedError> ErrorSource::do_extract_rollout(const RolloutView&) const { return {}; }
std::int64_t ErrorSource::do_most_offsets() const { return 0; }

std::vector<BankedError> ErrorSource::do_preload(at::IntArrayRef) const { return {}; }
std::vector<InputFile> ErrorSource::do_inputs() const { return {}; }

}  // namespace svi
