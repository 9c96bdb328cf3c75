#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/sampler/sampler.hpp"

namespace svi {

/// Precision in which the latent is kept from step to step.
enum class Accumulation { fp32, bf16 };

SVI_EXPORT std::vector<std::string> enum_names(Accumulation);

/// Flow matching by Euler steps: x <- x + v (sigma_next - sigma) over a shifted table.
///
/// The latent is fp32 throughout; `accumulate = bf16` rounds it, the velocity and the guidance
/// after every operation, as the reference pipeline does. Source: Li et al. 2025 (arXiv
/// 2510.09212), the reference pipeline's flow-matching scheduler.
///
/// Step-distilled adapters (lightx2v's) want few steps at fixed times and no guidance: `steps = 4,
/// shift = 5` and `[guidance] type = none`. Their recipes list the times before the shift, 1000,
/// 750, 500, 250; those are the ones of 4 steps, and `timesteps` takes any other list. LightX2V's
/// own sampler draws fresh noise between its steps; this one never does, as in the usual workflows.
class SVI_EXPORT EulerSampler final : public Sampler {
 public:
  struct Config {
    std::int64_t steps = 50;
    double shift = 5;
    Accumulation accumulate = Accumulation::fp32;
    std::vector<double> timesteps = {};

    void describe(OptionVisitor& visit) {
      visit(steps, {.key = "steps", .help = "Euler steps per clip", .min = 1, .max = 1000});
      visit(shift, {.key = "shift",
                    .help = "time shift s: sigma = s u / (1 + (s - 1) u)",
                    .min = 1e-3,
                    .max = 100});
      visit(accumulate,
            {.key = "accumulate",
             .help = "precision of the latent between steps; bf16 equals the reference"});
      visit(timesteps, {.key = "timesteps",
                        .help = "values 1000 u of the steps before the shift, in falling order, "
                                "instead of `steps` even ones; for step-distilled adapters",
                        .min = 1e-3,
                        .max = 1000});
    }
    /// What is wrong between fields, in words; empty if nothing.
    std::string problem() const;
  };

  /// Throws ConfigError where `config.problem()` is not empty.
  explicit EulerSampler(Config config);

  const std::vector<float>& sigmas() const override { return sigmas_; }
  bool makes_steps() const override { return true; }

 private:
  at::Tensor do_sample(const Denoiser& denoiser, const at::Tensor& noise,
                       const OnStep& on_step) const override;
  at::Tensor do_step(const Denoiser& denoiser, const at::Tensor& latent, const at::Tensor& from,
                     const at::Tensor& to, std::int64_t index) const override;
  Config config_;
  std::vector<float> sigmas_;
};

}  // namespace svi
