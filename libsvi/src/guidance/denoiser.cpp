#include "svi/guidance/denoiser.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr double kTimestepsPerSigma = 1000.0;

// One reduction: NaN passes through a minimum and a maximum, and Inf is one of them.
bool is_finite(const at::Tensor& x) {
  const auto [low, high] = at::aminmax(x);
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

// Passes that are told the same as an earlier one lend it their weight. The first is the base,
// whose own weight follows from the others'.
std::vector<GuidancePass> merged(std::vector<GuidancePass> passes) {
  std::vector<GuidancePass> kept;
  for (auto& pass : passes) {
    const auto twin = std::find_if(kept.begin(), kept.end(), [&](const GuidancePass& other) {
      return other.condition.same(pass.condition);
    });
    if (twin == kept.end()) {
      kept.push_back(std::move(pass));
    } else if (twin != kept.begin()) {
      twin->weight += pass.weight;
    }
  }
  return kept;
}

at::Tensor repeated(const at::Tensor& timestep, std::int64_t copies) {
  return timestep.dim() == 2 ? timestep.repeat({copies, 1}) : timestep.repeat({copies});
}

}  // namespace

std::vector<std::string> enum_names(PassMode) { return {"separate", "batched"}; }

Denoiser::Denoiser(const VelocityModel& model, const Guidance& guidance, Condition positive,
                   Condition negative, PassMode mode)
    : model_(model),
      guidance_(guidance),
      positive_(std::move(positive)),
      negative_(std::move(negative)),
      mode_(mode) {}

std::vector<GuidancePass> Denoiser::passes(double timestep, std::int64_t step) const {
  auto passes = guidance_.passes({step, timestep / kTimestepsPerSigma}, positive_, negative_);
  return passes.size() == 1 ? passes : merged(std::move(passes));
}

at::Tensor Denoiser::velocity(const at::Tensor& latent, double timestep, std::int64_t step) const {
  const auto times = at::full({latent.size(0)}, timestep, latent.options().dtype(at::kFloat));
  return guided(passes(timestep, step), latent, times, step);
}

at::Tensor Denoiser::velocity(const at::Tensor& latent, const at::Tensor& timestep,
                              std::int64_t step) const {
  return guided(passes(timestep.max().item<double>(), step), latent, timestep.to(latent.device()),
                step);
}

at::Tensor Denoiser::guided(const std::vector<GuidancePass>& passes, const at::Tensor& latent,
                            const at::Tensor& timestep, std::int64_t step) const {
  const bool batched = mode_ == PassMode::batched && passes.size() > 1;
  const auto velocities =
      batched ? run_batched(passes, latent, timestep, step) : run(passes, latent, timestep, step);
  evaluations_ += static_cast<std::int64_t>(passes.size());
  auto combined = velocities.front();  // [B, C, F, h, w]
  for (std::size_t i = 1; i < passes.size(); ++i)
    combined = combined + (velocities[i] - velocities.front()) * passes[i].weight;
  return combined;
}

std::vector<at::Tensor> Denoiser::run(const std::vector<GuidancePass>& passes,
                                      const at::Tensor& latent, const at::Tensor& timestep,
                                      std::int64_t step) const {
  std::vector<at::Tensor> velocities(passes.size());
  for (auto i = passes.size(); i-- > 0;) {  // the base last: the conditional pass names a bad model
    velocities[i] = model_.velocity(latent, timestep, passes[i].condition).to(latent.scalar_type());
    require_finite(velocities[i], latent, timestep, passes[i], step);
  }
  return velocities;
}

std::vector<at::Tensor> Denoiser::run_batched(const std::vector<GuidancePass>& passes,
                                              const at::Tensor& latent, const at::Tensor& timestep,
                                              std::int64_t step) const {
  const auto told = [&](std::size_t i) { return passes[i].condition; };
  bool known = joined_of_.size() == passes.size();
  for (std::size_t i = 0; known && i < passes.size(); ++i) known = joined_of_[i].same(told(i));
  if (!known) {
    joined_of_.clear();
    for (std::size_t i = 0; i < passes.size(); ++i) joined_of_.push_back(told(i));
    try {
      joined_ = Condition::join(joined_of_);
    } catch (const Error& error) {
      raise(error.what(), "; such passes cannot be batched: use passes = separate");
    }
  }
  const auto copies = static_cast<std::int64_t>(passes.size());
  const auto B = latent.size(0);
  const auto all =
      model_.velocity(latent.repeat({copies, 1, 1, 1, 1}), repeated(timestep, copies), joined_)
          .to(latent.scalar_type());
  std::vector<at::Tensor> velocities(passes.size());
  for (auto i = passes.size(); i-- > 0;) {
    velocities[i] = all.narrow(0, static_cast<std::int64_t>(i) * B, B);
    require_finite(velocities[i], latent, timestep, passes[i], step);
  }
  return velocities;
}

void Denoiser::require_finite(const at::Tensor& velocity, const at::Tensor& latent,
                              const at::Tensor& timestep, const GuidancePass& pass,
                              std::int64_t step) const {
  if (velocity.numel() == 0 || is_finite(velocity)) return;
  auto where = model_.first_non_finite(latent, timestep, pass.condition);
  if (where.empty()) where = "the model does not say where";
  raise("the model's velocity holds NaN or Inf in the ", pass.name, " pass of step ", step,
        " (from 0; sigma = ", timestep.max().item<double>() / kTimestepsPerSigma, "): ", where);
}

}  // namespace svi
