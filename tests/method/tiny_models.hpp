#pragma once

#include <ATen/ATen.h>

#include "svi/model/model.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/sampler/sampler.hpp"

namespace svi::test {

/// A codec small enough for a unit test, with temporal stride 4 and spatial stride 4.
inline WanVae tiny_vae() {
  WanVae vae(WanVaeConfig{.dim = 4,
                          .z_dim = 2,
                          .dim_mult = {1, 1, 1},
                          .num_res_blocks = 1,
                          .temporal_downsample = {1, 1}});
  vae.initialise(3);
  vae.require_grad(false);
  return vae;
}

/// Predicts a velocity that leads straight to the condition's latent, so that a clip repeats its
/// condition.
class CopyingModel final : public VelocityModel {
 public:
  mutable int passes = 0;
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    ++passes;
    const auto& image = condition[part::kImage];
    const auto latent = image.narrow(1, image.size(1) - noisy.size(1), noisy.size(1));
    return (noisy - latent) / (timestep / 1000).view({-1, 1, 1, 1, 1});
  }
};

}  // namespace svi::test
