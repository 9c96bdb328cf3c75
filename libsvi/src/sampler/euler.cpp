#include "svi/sampler/euler.hpp"

#include <ATen/ATen.h>

#include "svi/model/flow_schedule.hpp"

namespace svi {

at::Tensor EulerSampler::do_sample(const VelocityModel& model, const at::Tensor& noise,
                                   const Condition& positive, const Condition* negative,
                                   const OnStep& on_step) const {
  const FlowSchedule schedule(config_.steps, config_.shift);
  const auto& sigmas = schedule.sigmas();
  auto latent = noise.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);  // [B, C, F, h, w]
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    const float next = i + 1 < sigmas.size() ? sigmas[i + 1] : 0.0f;
    const auto timestep = at::full({noise.size(0)}, 1000.0f * sigmas[i], latent.options());  // [B]
    auto velocity = model.velocity(latent, timestep, positive).to(at::kFloat);
    if (negative != nullptr && config_.cfg != 1.0) {
      const auto unguided = model.velocity(latent, timestep, *negative).to(at::kFloat);
      velocity = unguided + (velocity - unguided) * config_.cfg;
    }
    latent.add_(velocity, next - sigmas[i]);
    if (on_step) on_step(static_cast<std::int64_t>(i) + 1, schedule.steps());
  }
  return latent;
}

}  // namespace svi
