#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "svi/model/model.hpp"
#include "svi/sampler/guidance.hpp"

namespace svi {

/// A velocity model under guidance, whose every answer is checked to be finite.
class GuidedModel {
 public:
  /// Borrows all three; `negative` may be null: then, as at cfg = 1, one pass a step.
  GuidedModel(const VelocityModel& model, const Condition& positive, const Condition* negative,
              const Guidance& guidance);

  /// latent [B, C, F, h, w]; `timestep` is what the model receives; `step` counts from 0 and is for
  /// messages. Returns v like `latent`, in its dtype. Throws Error that names the step, the pass
  /// and the first bad part of the model where v is not finite.
  at::Tensor velocity(const at::Tensor& latent, double timestep, std::int64_t step) const;

 private:
  at::Tensor run(const at::Tensor& latent, const at::Tensor& timestep, const Condition& condition,
                 std::int64_t step, const char* pass) const;
  void require_finite(const at::Tensor& velocity, const at::Tensor& latent,
                      const at::Tensor& timestep, const Condition& condition, std::int64_t step,
                      const char* pass) const;

  const VelocityModel& model_;
  const Condition& positive_;
  const Condition* negative_;
  double cfg_;
  Condition both_;  // positive, then negative along the batch; only when batched
  bool batched_ = false;
};

}  // namespace svi
