#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// What a velocity model is told besides the noisy latent. Undefined tensors are absent.
struct Condition {
  at::Tensor text = {};  // [B, L, D]           text context, zeros after the real tokens
  at::Tensor image =
      {};  // [B, 4 + C, F, h, w]  y: mask, then condition latent; undefined for text-to-video
  at::Tensor clip =
      {};  // [B, 257, 1280]      CLIP patch tokens; undefined where the model has no image branch
};

/// A flow-matching model: noisy latent, flow time and condition to velocity v = noise - data.
class SVI_EXPORT VelocityModel {
 public:
  virtual ~VelocityModel();

  /// noisy [B, C, F, h, w] latent units; timestep [B] = 1000 sigma; returns [B, C, F, h, w].
  virtual at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                              const Condition& condition) const = 0;

  /// Where NaN or Inf first appears in `velocity` of the same arguments, for a message to the user;
  /// empty where nothing is found or the model can't tell. May cost as much as a pass.
  virtual std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                                       const Condition& condition) const;
};

}  // namespace svi
