#include "svi/injection/injection_policy.hpp"

#include <cmath>

#include "svi/core/check.hpp"

namespace svi {

InjectionPolicy::~InjectionPolicy() = default;

Injection InjectionPolicy::draw(const SampleView& sample) const {
  SVI_CHECK(sample.sigma >= 0 && sample.sigma <= 1, "sigma ", sample.sigma, " is outside [0, 1]");
  SVI_CHECK(sample.total_steps >= 1, "total_steps ", sample.total_steps);
  const auto injection = do_draw(sample);
  for (const auto* target : {&injection.noise, &injection.latent, &injection.image}) {
    SVI_CHECK(std::isfinite(target->scale), "an injection's scale is not finite");
    SVI_CHECK(!(injection.clean && target->hit), "a clean sample must not be hit");
  }
  SVI_CHECK(injection.image_frames >= 1, "image_frames ", injection.image_frames);
  SVI_CHECK(injection.image_place < 1, "image_place ", injection.image_place, " is not below 1");
  SVI_CHECK(injection.image_sigma_low <= injection.image_sigma_high, "image_sigma range ",
            injection.image_sigma_low, " .. ", injection.image_sigma_high);
  return injection;
}

}  // namespace svi
