#include "svi/sampler/sampler.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/sampler/builtins.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/sampler/unipc.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {

Sampler::~Sampler() = default;

at::Tensor Sampler::sample(const VelocityModel& model, const at::Tensor& noise,
                           const Condition& positive, const Condition* negative,
                           const OnStep& on_step) const {
  dims<5>(noise, "noise [B, C, F, h, w]");
  c10::NoGradGuard no_gradients;
  auto latent = do_sample(model, noise, positive, negative, on_step);
  SVI_CHECK(latent.sizes() == noise.sizes(), "sampler returned ", latent.sizes(), " for noise ",
            noise.sizes());
  if (!at::isfinite(latent).all().item<bool>())
    raise(
        "the sampler's latent holds NaN or Inf although the model's velocities do not; cfg may be "
        "too large");
  return latent;
}

void register_sampler(Registrar& registrar) {
  registrar.add<Sampler, EulerSampler>("euler", "Euler steps over the shifted flow-matching table");
  registrar.add<Sampler, UniPcSampler>("unipc",
                                       "second-order predictor and corrector, like Wan's sampler");
}

}  // namespace svi
