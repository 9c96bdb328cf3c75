#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "svi/core/export.hpp"
#include "svi/model/condition.hpp"

namespace svi {

/// A flow-matching model: noisy latent, flow time and condition to velocity v = noise - data.
class SVI_EXPORT VelocityModel {
 public:
  virtual ~VelocityModel();

  /// noisy [B, C, F, h, w] latent units; timestep [B] = 1000 sigma, or [B, F] where frames have
  /// noise levels of their own; returns [B, C, F, h, w].
  virtual at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                              const Condition& condition) const = 0;

  /// Where NaN or Inf first appears in `velocity` of the same arguments, for a message to the user;
  /// empty where nothing is found or the model can't tell. May cost as much as a pass.
  virtual std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                                       const Condition& condition) const;
};

}  // namespace svi
