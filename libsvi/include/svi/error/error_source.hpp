#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "svi/plugin/component.hpp"
#include "svi/tensor/banked_error.hpp"

namespace svi {

/// One training step as an error source sees it; borrowed for the call. Latent units, fp32 unless
/// stated. The injected errors are zero for samples that were not hit.
struct StepView {
  const at::Tensor& clean;         // [B, C, F, h, w]  x, the clean latent
  const at::Tensor& noise;         // [B, C, F, h, w]  n, the noise before injection
  const at::Tensor& noisy;         // [B, C, F, h, w]  x~_sigma, what the model saw
  const at::Tensor& target;        // [B, C, F, h, w]  v* = n~ - x
  const at::Tensor& predicted;     // [B, C, F, h, w]  v_hat
  const at::Tensor& sigma;         // [B]              flow time in [0, 1]; 1 is pure noise
  const at::Tensor& latent_error;  // [B, C, F, h, w]  E_x injected into x; undefined: nowhere
  const at::Tensor& noise_error;   // [B, C, F, h, w]  E_n injected into n; undefined: nowhere
};

/// Freshly generated clips beside the truth they should have matched.
struct RolloutView {
  const at::Tensor& truth;      // [B, C, F, h, w]  condition latents of the true last frames
  const at::Tensor& generated;  // [B, C, F, h, w]  condition latents of the generated last frames
};

/// Says which part of a prediction is error worth remembering.
///
/// Called once per step from one thread; never collective. Returned errors carry gains and sigma;
/// the caller fills in step, sample and clean.
class SVI_EXPORT ErrorSource : public Component {
 public:
  static constexpr std::string_view kKind = "error_source";
  ~ErrorSource() override;

  /// One error per sample, or none at all for sources that do not learn from training steps.
  /// Tensors are detached, [C, F, h, w]. Throws svi::Error if shapes disagree.
  std::vector<BankedError> extract(const StepView& step) const;

  /// How many clips to generate before this training step (0: none); on-policy sources answer here.
  std::int64_t rollouts_due(std::int64_t step) const { return do_rollouts_due(step); }
  /// The probability that such a rollout starts from a condition that already carries a banked
  /// error.
  double rollout_chain_probability() const { return do_rollout_chain_probability(); }
  /// One error per generated clip.
  std::vector<BankedError> extract(const RolloutView& rollout) const;

 private:
  virtual std::vector<BankedError> do_extract(const StepView& step) const = 0;
  virtual std::int64_t do_rollouts_due(std::int64_t step) const;
  virtual double do_rollout_chain_probability() const;
  virtual std::vector<BankedError> do_extract_rollout(const RolloutView& rollout) const;
};

}  // namespace svi
