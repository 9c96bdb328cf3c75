#include "svi/model/flow_schedule.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr double kTimestepsPerSigma = 1000.0;
constexpr double kNoisiestTrainTimestep = 999.0;  // the bank's grids clamp to it

std::vector<float> to_vector(const at::Tensor& table) {
  const auto* data = table.const_data_ptr<float>();
  return {data, data + table.numel()};
}

// sigma [B] -> [B, 1, 1, ...], or [B, F] -> [B, 1, F, 1, 1]: as many axes as the latent.
at::Tensor per_sample(const at::Tensor& sigma, const at::Tensor& latent) {
  const bool frames = sigma.dim() == 2 && latent.dim() == 5 && sigma.size(1) == latent.size(2);
  SVI_CHECK((sigma.dim() == 1 || frames) && sigma.size(0) == latent.size(0), "sigma ",
            sigma.sizes(), " is not one per sample, or per latent frame, of latents ",
            latent.sizes());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(latent.dim()), 1);
  sizes[0] = sigma.size(0);
  if (frames) sizes[2] = sigma.size(1);
  return sigma.view(sizes);
}

}  // namespace

FlowSchedule::FlowSchedule(std::int64_t steps, double shift) : shift_(shift) {
  if (steps < 1) raise<ConfigError>("a flow schedule needs at least 1 step, got ", steps);
  if (!(shift > 0)) raise<ConfigError>("the shift of a flow schedule must be > 0, got ", shift);
  // float32 tensor arithmetic, so that the tables round as the reference's do.
  const auto u = at::linspace(1.0, 0.0, steps + 1, at::kFloat).narrow(0, 0, steps);  // [K]
  const auto sigma = shift * u / (1 + (shift - 1) * u);                              // [K]
  const auto timestep = sigma * kTimestepsPerSigma;                                  // [K]
  const auto bell = at::exp(-2 * ((timestep - 500) / kTimestepsPerSigma).square());  // [K]
  const auto shifted = bell - bell.min();                                            // [K]
  // With one step the bell is flat: weight 1, the mean it has otherwise.
  const auto weight =
      steps == 1 ? at::ones_like(shifted) : shifted * (static_cast<double>(steps) / shifted.sum());
  sigmas_ = to_vector(sigma);
  timesteps_ = to_vector(timestep);
  weights_ = to_vector(weight);
  deltas_.resize(sigmas_.size());
  for (std::size_t i = 0; i < sigmas_.size(); ++i) {
    deltas_[i] = (i + 1 < sigmas_.size() ? sigmas_[i + 1] : 0.0F) - sigmas_[i];
  }
}

std::int64_t FlowSchedule::nearest(double timestep) const {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < steps(); ++i) {
    const auto distance = std::abs(static_cast<double>(timesteps_[i]) - timestep);
    if (distance < std::abs(static_cast<double>(timesteps_[best]) - timestep)) best = i;
  }
  return best;
}

std::int64_t FlowSchedule::grid_of(double timestep) const {
  return nearest(std::clamp(timestep, 0.0, kNoisiestTrainTimestep));
}

at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise, const at::Tensor& sigma) {
  const auto s = per_sample(sigma, clean);
  return (1 - s) * clean + s * noise;
}

at::Tensor target_velocity(const at::Tensor& clean, const at::Tensor& noise) {
  return noise - clean;
}

at::Tensor jump_to_data(const at::Tensor& noisy, const at::Tensor& velocity,
                        const at::Tensor& sigma) {
  return noisy - per_sample(sigma, noisy) * velocity;
}

at::Tensor jump_to_noise(const at::Tensor& noisy, const at::Tensor& velocity,
                         const at::Tensor& sigma) {
  return noisy + (1 - per_sample(sigma, noisy)) * velocity;
}

}  // namespace svi
