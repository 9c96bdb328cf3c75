#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/guidance/guidance.hpp"
#include "svi/model/model.hpp"

namespace svi {

/// How the passes of one step run: one after the other, or as one pass over a larger batch, which
/// needs the activations of all at once. Equal up to rounding.
enum class PassMode { separate, batched };

SVI_EXPORT std::vector<std::string> enum_names(PassMode);

/// A model under guidance, told a condition: what samplers and methods see of both.
///
/// Passes that are told the same are run once; every velocity is checked to be finite; function
/// evaluations are counted. Borrows model and guidance. One thread.
class SVI_EXPORT Denoiser {
 public:
  /// `negative` is what unconditional passes are told; it may be empty where the guidance makes
  /// none.
  Denoiser(const VelocityModel& model, const Guidance& guidance, Condition positive,
           Condition negative = {}, PassMode mode = PassMode::separate);

  /// latent [B, C, F, h, w]; `timestep` is what the model receives, 1000 sigma; `step` counts from
  /// 0. Returns v like `latent`, in its dtype. Throws Error that names the step, the pass and the
  /// first bad part of the model where v is not finite.
  at::Tensor velocity(const at::Tensor& latent, double timestep, std::int64_t step) const;
  /// The same with a timestep for each sample, [B], or for each latent frame, [B, F], fp32. The
  /// guidance sees the noisiest.
  at::Tensor velocity(const at::Tensor& latent, const at::Tensor& timestep,
                      std::int64_t step) const;

  /// Function evaluations so far, per sample: a step of two passes counts two.
  std::int64_t evaluations() const { return evaluations_; }
  /// What a conditional pass is told.
  const Condition& positive() const { return positive_; }

 private:
  std::vector<GuidancePass> passes(double timestep, std::int64_t step) const;
  at::Tensor guided(const std::vector<GuidancePass>& passes, const at::Tensor& latent,
                    const at::Tensor& timestep, std::int64_t step) const;
  std::vector<at::Tensor> run(const std::vector<GuidancePass>& passes, const at::Tensor& latent,
                              const at::Tensor& timestep, std::int64_t step) const;
  std::vector<at::Tensor> run_batched(const std::vector<GuidancePass>& passes,
                                      const at::Tensor& latent, const at::Tensor& timestep,
                                      std::int64_t step) const;
  void require_finite(const at::Tensor& velocity, const at::Tensor& latent,
                      const at::Tensor& timestep, const GuidancePass& pass,
                      std::int64_t step) const;

  const VelocityModel& model_;
  const Guidance& guidance_;
  Condition positive_, negative_;
  PassMode mode_;
  /// The batch of all passes, kept while the passes stay what they are.
  mutable std::vector<Condition> joined_of_;
  mutable Condition joined_;
  mutable std::int64_t evaluations_ = 0;
};

}  // namespace svi
