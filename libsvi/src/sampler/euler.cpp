#include "svi/sampler/euler.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/model/flow_schedule.hpp"

namespace svi {
namespace {

constexpr double kTimestepsPerSigma = 1000.0;

// The shift in float32, like that of FlowSchedule.
std::vector<float> shifted(const std::vector<double>& timesteps, double shift) {
  const auto u = at::tensor(timesteps).to(at::kFloat) / kTimestepsPerSigma;  // [K]
  const auto sigma = (shift * u / (1 + (shift - 1) * u)).contiguous();       // [K]
  const auto* data = sigma.const_data_ptr<float>();
  return {data, data + sigma.numel()};
}

}  // namespace

std::vector<std::string> enum_names(Accumulation) { return {"fp32", "bf16"}; }

std::string EulerSampler::Config::problem() const {
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    if (!(timesteps[i] > 0 && timesteps[i] <= kTimestepsPerSigma)) {
      return cat("timesteps must be above 0 and at most 1000, got ", timesteps[i]);
    }
    if (i > 0 && !(timesteps[i] < timesteps[i - 1])) {
      return cat("timesteps must fall, but ", timesteps[i], " follows ", timesteps[i - 1]);
    }
  }
  return {};
}

EulerSampler::EulerSampler(Config config) : config_(std::move(config)) {
  if (const auto problem = config_.problem(); !problem.empty()) raise<ConfigError>(problem);
  sigmas_ = config_.timesteps.empty() ? FlowSchedule(config_.steps, config_.shift).sigmas()
                                      : shifted(config_.timesteps, config_.shift);
}

at::Tensor EulerSampler::do_step(const Denoiser& denoiser, const at::Tensor& latent,
                                 const at::Tensor& from, const at::Tensor& to,
                                 std::int64_t index) const {
  const auto velocity = denoiser.velocity(latent, from * kTimestepsPerSigma, index);
  const auto B = latent.size(0), frames = from.dim() == 2 ? from.size(1) : 1;
  const auto way = (to - from).to(latent.device()).view({B, 1, frames, 1, 1});
  return latent + velocity * way;
}

at::Tensor EulerSampler::do_sample(const Denoiser& denoiser, const at::Tensor& noise,
                                   const OnStep& on_step) const {
  const auto dtype = config_.accumulate == Accumulation::bf16 ? at::kBFloat16 : at::kFloat;
  auto latent = noise.to(dtype);  // [B, C, F, h, w]
  const auto steps = static_cast<std::int64_t>(sigmas_.size());
  for (std::int64_t i = 0; i < steps; ++i) {
    const float sigma = sigmas_[i];
    const float next = i + 1 < steps ? sigmas_[i + 1] : 0.0F;
    const auto velocity = denoiser.velocity(latent, 1000.0F * sigma, i);
    // In bf16 the product is rounded before the sum, as in the reference.
    latent = dtype == at::kFloat ? latent.add(velocity, next - sigma)
                                 : latent + velocity * (next - sigma);
    if (on_step) on_step(i + 1, steps);
  }
  return latent.to(at::kFloat);
}

}  // namespace svi
