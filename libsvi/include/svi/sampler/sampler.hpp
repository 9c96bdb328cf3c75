#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string_view>

#include "svi/model/model.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Called after every step of a sampler: `done` of `steps` are finished. It may throw, which ends
/// the sampling.
using OnStep = std::function<void(std::int64_t done, std::int64_t steps)>;

/// Turns noise into a clip's latent with a velocity model.
class SVI_EXPORT Sampler : public Component {
 public:
  static constexpr std::string_view kKind = "sampler";
  ~Sampler() override;

  /// noise [B, C, F, h, w] fp32 -> latent of the same shape, fp32. `negative` is the condition of
  /// the unguided pass; null runs one pass a step. No gradients are recorded. Throws Error where
  /// the model gives NaN or Inf.
  at::Tensor sample(const VelocityModel& model, const at::Tensor& noise, const Condition& positive,
                    const Condition* negative, const OnStep& on_step = {}) const;

 private:
  virtual at::Tensor do_sample(const VelocityModel& model, const at::Tensor& noise,
                               const Condition& positive, const Condition* negative,
                               const OnStep& on_step) const = 0;
};

}  // namespace svi
