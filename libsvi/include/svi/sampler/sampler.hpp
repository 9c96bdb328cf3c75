#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "svi/guidance/denoiser.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Called after every step of a sampler: `done` of `steps` are finished. It may throw, which ends
/// the sampling.
using OnStep = std::function<void(std::int64_t done, std::int64_t steps)>;

/// Turns noise into a clip's latent with a denoiser.
class SVI_EXPORT Sampler : public Component {
 public:
  static constexpr std::string_view kKind = "sampler";
  ~Sampler() override;

  /// noise [B, C, F, h, w] fp32 -> latent of the same shape, fp32. No gradients are recorded.
  /// Throws Error where the model gives NaN or Inf.
  at::Tensor sample(const Denoiser& denoiser, const at::Tensor& noise,
                    const OnStep& on_step = {}) const;

  /// sigma of each step of a whole clip, in (0, 1], falling; the step after the last leads to 0.
  virtual const std::vector<float>& sigmas() const = 0;

  /// Whether step() works: no step needs the ones before it.
  virtual bool makes_steps() const { return false; }
  /// One step from the flow times `from` to `to`, each [B], one per sample, or [B, F], one per
  /// latent frame; fp32 in [0, 1]. Frames whose times agree do not move. For methods that drive a
  /// schedule of their own; latent [B, C, F, h, w] fp32. Throws ConfigError where the sampler
  /// remembers earlier steps and so can only make whole clips.
  at::Tensor step(const Denoiser& denoiser, const at::Tensor& latent, const at::Tensor& from,
                  const at::Tensor& to, std::int64_t index) const;

 private:
  virtual at::Tensor do_step(const Denoiser& denoiser, const at::Tensor& latent,
                             const at::Tensor& from, const at::Tensor& to,
                             std::int64_t index) const;
  virtual at::Tensor do_sample(const Denoiser& denoiser, const at::Tensor& noise,
                               const OnStep& on_step) const = 0;
};

}  // namespace svi
