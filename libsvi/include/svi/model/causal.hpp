#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/model/condition.hpp"

namespace svi {

/// Latent frames that a model was shown, as self-attention needs them: a cache of keys and values.
///
/// Keys are kept as they are before the norm over heads and the rotation, so that frames can take
/// other places: those that stay close ranks where others leave. All tensors have the model's dtype
/// and device.
struct SVI_EXPORT FrameKeys {
  std::vector<at::Tensor> keys = {};    // [B, frames n, D]  of each block; n tokens a frame
  std::vector<at::Tensor> values = {};  // [B, frames n, D]  of each block
  std::int64_t frames = 0;              // latent frames

  /// Whether there are no frames.
  bool empty() const { return frames == 0; }
  std::int64_t bytes() const;  // of all tensors
  /// These frames alone, by their places from 0, in this order.
  FrameKeys only(const std::vector<std::int64_t>& places) const;
  /// Puts frames behind these. Throws Error where they are of another batch or model.
  void append(const FrameKeys& more);
};

/// A model that can be shown frames behind others that it has seen, without computing those again:
/// attention leads from a frame to the frames with it and before it, never to later ones.
class SVI_EXPORT CausalModel {
 public:
  virtual ~CausalModel();

  /// VelocityModel::velocity of F frames that stand behind `past`, with what the condition tells of
  /// these F frames alone. Their places are past.frames and on, those of the past 0 and on. With no
  /// past it is velocity(). `kept`, where given, receives the keys and values of the F frames. No
  /// gradients. Throws ConfigError where the model cannot, and says why.
  virtual at::Tensor velocity_behind(const FrameKeys& past, const at::Tensor& noisy,
                                     const at::Tensor& timestep, const Condition& condition,
                                     FrameKeys* kept = nullptr) const = 0;
};

}  // namespace svi
