#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "svi/core/export.hpp"

namespace svi {

/// Which end of the flow an error belongs to: the clean latent (sigma = 0) or the noise (sigma =
/// 1).
enum class ErrorEnd { data, noise };

/// One error of the model, for one sample, kept once and scaled on recall.
///
/// With the velocity residual D = v_hat - v*, one-step integration gives E_data = -sigma D at the
/// data end and E_noise = (1 - sigma) D at the noise end; both are a gain times the same
/// tensor. Error definitions that differ from it by more than a gain add an offset.
struct SVI_EXPORT BankedError {
  at::Tensor residual;      // [C, F, h, w]  latent units; F may be fewer frames than a clip
  at::Tensor data_offset;   // [C, F, h, w]  or undefined: added at the data end
  at::Tensor noise_offset;  // [C, F, h, w]  or undefined: added at the noise end
  double data_gain = 0;     // factor at the data end, -sigma as a rule
  double noise_gain = 0;    // factor at the noise end, 1 - sigma as a rule
  double sigma = 0;         // flow time in [0, 1] at which it was made; 1 is pure noise
  std::int64_t step = 0;    // training step at which it was made
  std::int64_t sample = 0;  // global index of the training sample it came from
  bool clean = false;       // came from a sample into which nothing was injected on purpose
  std::int64_t depth = 0;   // carried errors behind it, one made from another; 0: none

  /// The error at one end: gain * residual + offset, [C, F, h, w], fp32 on the residual's device.
  at::Tensor at(ErrorEnd end) const;
  /// Bytes of its tensors.
  std::int64_t bytes() const;
};

}  // namespace svi
