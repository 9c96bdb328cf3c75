#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

#include "svi/model/model.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Turns noise into a clip's latent with a velocity model.
class SVI_EXPORT Sampler : public Component {
 public:
  static constexpr std::string_view kKind = "sampler";
  ~Sampler() override;

  /// noise [B, C, F, h, w] fp32 -> latent of the same shape, fp32. `negative` is the condition of
  /// the unguided pass; null runs one pass a step. No gradients are recorded.
  at::Tensor sample(const VelocityModel& model, const at::Tensor& noise, const Condition& positive,
                    const Condition* negative) const;

 private:
  virtual at::Tensor do_sample(const VelocityModel& model, const at::Tensor& noise,
                               const Condition& positive, const Condition* negative) const = 0;
};

}  // namespace svi
