#pragma once

#include <cstdint>

#include "svi/config/option.hpp"
#include "svi/sampler/sampler.hpp"

namespace svi {

/// Flow matching by Euler steps: x <- x + v (sigma_next - sigma) over a shifted table, fp32
/// throughout.
///
/// Guidance: v = v_negative + cfg (v_positive - v_negative); at cfg = 1 or without a negative
/// condition one pass a step. Source: Li et al. 2025 (arXiv 2510.09212), the reference pipeline's
/// flow-matching scheduler.
class SVI_EXPORT EulerSampler final : public Sampler {
 public:
  struct Config {
    std::int64_t steps = 50;
    double shift = 5;
    double cfg = 5;

    void describe(OptionVisitor& visit) {
      visit(steps, {.key = "steps", .help = "Euler steps per clip", .min = 1, .max = 1000});
      visit(shift, {.key = "shift",
                    .help = "time shift s: sigma = s u / (1 + (s - 1) u)",
                    .min = 1e-3,
                    .max = 100});
      visit(
          cfg,
          {.key = "cfg", .help = "classifier-free guidance scale; 1 is off", .min = 0, .max = 100});
    }
  };

  explicit EulerSampler(Config config) : config_(config) {}

 private:
  at::Tensor do_sample(const VelocityModel& model, const at::Tensor& noise,
                       const Condition& positive, const Condition* negative,
                       const OnStep& on_step) const override;
  Config config_;
};

}  // namespace svi
