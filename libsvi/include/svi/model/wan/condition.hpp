#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "svi/core/export.hpp"

namespace svi {

class WanVae;

/// What the latent frames of a clip's condition hold.
///
/// The codec makes latent frame 0 of one pixel frame and every other of `temporal stride` frames.
enum class ConditionLayout {
  /// The latents of a video: motion frames, then padding (SVI, Wan). Motion latents that are handed
  /// over as they are come from later slots, hence of several frames each, but stand in slot 0 too,
  /// which the model knows as a latent of one frame.
  video,
  /// The anchor encoded alone in slot 0, motion latents behind it, then zeros (SVI 2.0 Pro). Every
  /// latent stands where its kind belongs. A clip draws the anchor and the motion again.
  anchor_first,
};

/// How a condition video is made of motion frames, anchor and grey.
struct ConditionRule {
  /// After the motion frames: -1 the anchor to the end; j > 0 j copies of it, then grey; 0 grey
  /// only.
  std::int64_t anchor_copies = 0;
  /// Mark every motion frame as known; the reference marks frame 0 alone, even with five motion
  /// frames.
  bool mask_all_motion = false;
  ConditionLayout layout = ConditionLayout::video;  // what stands in which slot
  /// Zero latents (the mean of all latents) in place of those of grey frames alone.
  bool zero_latents = false;
};

/// The one place where a clip's image condition y is made, in training and in generation alike.
///
/// y [B, s + z, F, h, w] is a mask of s = temporal stride channels, then the z latent channels of a
/// condition video of T pixel frames: k motion frames, then padding. Grey is 0 in [-1, 1], encoded
/// by the VAE with the rest: *not* a zero latent. The mask is 1 where the condition is given: pixel
/// frame 0 (repeated s times, so that latent frame 0 owns it) and, with mask_all_motion, frames 1
/// .. k-1.
///
/// Source: Li et al. 2025 (arXiv 2510.09212), the reference's encode_images_adaptive; Wan 2.1
/// image-to-video. Not thread-safe; borrows the VAE.
class SVI_EXPORT ConditionBuilder {
 public:
  explicit ConditionBuilder(const WanVae& vae) : vae_(vae) {}  // borrows the codec

  /// With anchor_first, k is 1 (a first clip: no motion) or 1 + s n for n motion latents.
  ///
  /// motion [B, 3, k, H, W] and anchor [B, 3, H, W] in [-1, 1]; `frames` = T, legal for the VAE, k
  /// <= T. Throws svi::Error naming the nearest legal T where it is not.
  at::Tensor build(const at::Tensor& motion, const at::Tensor& anchor, std::int64_t frames,
                   const ConditionRule& rule) const;

  /// The same from latents: motion [B, z, f, h, w] takes the first f latent frames, whatever
  /// padding says, or the f behind the anchor; the rest is the padding encoded as above. For latent
  /// hand-over, which spares a decode-encode round trip.
  at::Tensor build_from_latent(const at::Tensor& motion, const at::Tensor& anchor,
                               std::int64_t frames, std::int64_t motion_frames,
                               const ConditionRule& rule) const;

  /// The mask alone, [s, F, h, w]: ones over the first `known` pixel frames (at least frame 0).
  at::Tensor mask(std::int64_t known, std::int64_t frames, std::int64_t h, std::int64_t w) const;

 private:
  at::Tensor with_mask(const at::Tensor& latent, std::int64_t known, std::int64_t frames) const;
  at::Tensor anchored(const at::Tensor& motion, const at::Tensor& anchor,
                      std::int64_t frames) const;
  const WanVae& vae_;
};

/// What the last `motion_frames` of a clip [B, 3, T, H, W] become at the head of the next clip's
/// condition: [B, z, f, h, w].
SVI_EXPORT at::Tensor tail_latents(const WanVae& vae, const at::Tensor& video,
                                   std::int64_t motion_frames);

}  // namespace svi
