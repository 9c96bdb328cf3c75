#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/random.hpp"
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
  std::uint64_t seed = 0;          // of the run
  std::int64_t step = 0;           // training step
  std::int64_t first_sample = 0;   // index of sample 0 in the global batch

  /// The draws of a source of its own for sample `b`.
  RandomKey key(std::int64_t b) const {
    return {seed, Purpose::error_source, static_cast<std::uint32_t>(first_sample + b),
            static_cast<std::uint32_t>(step)};
  }
};

/// Freshly generated clips beside the truth they should have matched.
struct RolloutView {
  const at::Tensor& truth;      // [B, C, F, h, w]  condition latents of the true last frames
  const at::Tensor& generated;  // [B, C, F, h, w]  condition latents of the generated last frames
};

/// A file whose content a source depends on.
struct InputFile {
  std::string path;    // as the option names it
  std::string remedy;  // what to do if it is not there
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

  /// How many offsets an error may bring along (BankedError): 0 to 2.
  std::int64_t most_offsets() const { return do_most_offsets(); }

  /// How many clips to generate before this training step (0: none); on-policy sources answer here.
  std::int64_t rollouts_due(std::int64_t step) const { return do_rollouts_due(step); }
  /// The probability that such a rollout starts from a condition that already carries a banked
  /// error.
  double rollout_chain_probability() const { return do_rollout_chain_probability(); }
  /// The greatest depth of an error that is carried on; deeper ones are not. 0: no limit.
  std::int64_t rollout_max_depth() const { return do_rollout_max_depth(); }
  /// One error per generated clip.
  std::vector<BankedError> extract(const RolloutView& rollout) const;

  /// Errors that every bank holds before the first step, in the order in which to store them.
  /// `latent` is [C, F, h, w] of the run; the errors fit it, in F or fewer frames. Throws IoError.
  std::vector<BankedError> preload(at::IntArrayRef latent) const;
  /// Files that errors come from: part of what makes a run the same run.
  std::vector<InputFile> inputs() const { return do_inputs(); }

 private:
  virtual std::vector<BankedError> do_extract(const StepView& step) const = 0;
  virtual std::int64_t do_most_offsets() const;
  virtual std::int64_t do_rollouts_due(std::int64_t step) const;
  virtual double do_rollout_chain_probability() const;
  virtual std::int64_t do_rollout_max_depth() const;
  virtual std::vector<BankedError> do_extract_rollout(const RolloutView& rollout) const;
  virtual std::vector<BankedError> do_preload(at::IntArrayRef latent) const;
  virtual std::vector<InputFile> do_inputs() const;
};

}  // namespace svi
