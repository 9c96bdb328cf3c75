#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// A table of flow times from 1 (pure noise, index 0) towards 0 (data), denser near noise, with the
/// training weight of each entry. Tables are float32 and equal to the reference's bit for bit.
///
/// For K steps and shift s: u_i = 1 - i / K, sigma_i = s u_i / (1 + (s - 1) u_i), timestep = 1000
/// sigma. Reference: the flow-matching scheduler of Li et al. 2025 (arXiv 2510.09212); training
/// uses K = 1000, its 50 test grids and the sampler K = 50, all with s = 5. Immutable; safe to
/// share between threads.
class SVI_EXPORT FlowSchedule {
 public:
  /// Requires steps >= 1 and shift > 0, else throws ConfigError.
  explicit FlowSchedule(std::int64_t steps = 1000, double shift = 5.0);

  std::int64_t steps() const { return static_cast<std::int64_t>(sigmas_.size()); }  // K
  double shift() const { return shift_; }                                           // s

  /// sigma_i in (0, 1], decreasing.
  const std::vector<float>& sigmas() const { return sigmas_; }
  /// 1000 sigma_i, what a VelocityModel receives.
  const std::vector<float>& timesteps() const { return timesteps_; }
  /// Bell-shaped loss weight of each entry: exp(-2 ((t - 500) / 1000)^2), shifted to a minimum of 0
  /// and scaled to a mean of 1. The entry at pure noise has weight 0.
  const std::vector<float>& training_weights() const { return weights_; }
  /// sigma_{i+1} - sigma_i, with sigma = 0 past the end: the Euler steps of a sampler; their sum is
  /// -1.
  const std::vector<float>& deltas() const { return deltas_; }

  /// The entry whose timestep is nearest; the noisier one on a tie.
  std::int64_t nearest(double timestep) const;
  /// The bin of a training timestep when this table serves as the bank's grid: nearest entry to the
  /// timestep clamped to [0, 999].
  std::int64_t grid_of(double timestep) const;

 private:
  double shift_;
  std::vector<float> sigmas_, timesteps_, weights_, deltas_;
};

// One-jump formulas of flow matching. Latents are [B, C, F, h, w]; sigma is [B], or [B, F] where
// frames have flow times of their own, in [0, 1], 1 = pure noise.

/// (1 - sigma) clean + sigma noise.
SVI_EXPORT at::Tensor add_noise(const at::Tensor& clean, const at::Tensor& noise,
                                const at::Tensor& sigma);
/// The velocity a perfect model predicts: noise - clean.
SVI_EXPORT at::Tensor target_velocity(const at::Tensor& clean, const at::Tensor& noise);
/// The clean latent that one jump to sigma = 0 reaches: noisy - sigma velocity.
SVI_EXPORT at::Tensor jump_to_data(const at::Tensor& noisy, const at::Tensor& velocity,
                                   const at::Tensor& sigma);
/// The noise that one jump to sigma = 1 reaches: noisy + (1 - sigma) velocity.
SVI_EXPORT at::Tensor jump_to_noise(const at::Tensor& noisy, const at::Tensor& velocity,
                                    const at::Tensor& sigma);

}  // namespace svi
