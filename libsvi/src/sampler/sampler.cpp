#include "svi/sampler/sampler.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/sampler/builtins.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/sampler/unipc.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {

Sampler::~Sampler() = default;

at::Tensor Sampler::sample(const Denoiser& denoiser, const at::Tensor& noise,
                           const OnStep& on_step) const {
  dims<5>(noise, "noise [B, C, F, h, w]");
  c10::NoGradGuard no_gradients;
  auto latent = do_sample(denoiser, noise, on_step);
  SVI_CHECK(latent.sizes() == noise.sizes(), "sampler returned ", latent.sizes(), " for noise ",
            noise.sizes());
  if (!at::isfinite(latent).all().item<bool>())
    raise(
        "the sampler's latent holds NaN or Inf although the model's velocities do not; the "
        "guidance "
        "scale may be "
        "too large");
  return latent;
}

at::Tensor Sampler::step(const Denoiser& denoiser, const at::Tensor& latent, const at::Tensor& from,
                         const at::Tensor& to, std::int64_t index) const {
  const auto [B, C, F, h, w] = dims<5>(latent, "latent [B, C, F, h, w]");
  const bool per_sample = from.dim() == 1 && from.size(0) == B;
  const bool per_frame = from.dim() == 2 && from.size(0) == B && from.size(1) == F;
  SVI_CHECK((per_sample || per_frame) && to.sizes() == from.sizes(), "flow times ", from.sizes(),
            " and ", to.sizes(), " are neither [B] nor [B, F] of ", latent.sizes());
  c10::NoGradGuard no_gradients;
  return do_step(denoiser, latent, from, to, index);
}

at::Tensor Sampler::do_step(const Denoiser&, const at::Tensor&, const at::Tensor&,
                            const at::Tensor&, std::int64_t) const {
  raise<ConfigError>(
      "[sampler]: this sampler remembers earlier steps and makes whole clips only; a method with "
      "a schedule of its own needs type = euler");
}

void register_sampler(Registrar& registrar) {
  registrar.add<Sampler, EulerSampler>("euler", "Euler steps over the shifted flow-matching table");
  registrar.add<Sampler, UniPcSampler>("unipc",
                                       "second-order predictor and corrector, like Wan's sampler");
}

}  // namespace svi
