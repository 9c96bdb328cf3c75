#pragma once

#include "model/wan/vae/vae_frames.hpp"
#include "model/wan/vae/vae_layers.hpp"

namespace svi {

struct WanVae::Network {
  WanVaeConfig config;
  wan::Side encoder;
  wan::Side decoder;
  wan::Convolution to_moments;   // `conv1`, 1x1x1
  wan::Convolution from_latent;  // `conv2`, 1x1x1
  at::ScalarType activations = at::kFloat;
  at::Tensor mean;  // [1, z, 1, 1, 1]  fp32
  at::Tensor std;   // [1, z, 1, 1, 1]  fp32

  Network(WanVaeConfig config, const at::TensorOptions& options);
  void visit(const wan::TensorVisitor& visitor);
  at::ScalarType dtype() const { return to_moments.bias.scalar_type(); }
  at::Device device() const { return to_moments.bias.device(); }
  /// Mean and log-variance, [B, 2 z, F, h, w], before normalisation.
  at::Tensor moments(const at::Tensor& video, wan::FeatureCache* cache) const;
  /// The same of all frames, in memory for one latent frame at a time.
  at::Tensor moments_by_groups(const at::Tensor& video) const;
  at::Tensor pixels(const at::Tensor& latent, wan::FeatureCache* cache) const;
  at::Tensor pixels_by_groups(const at::Tensor& latent) const;
  /// Whether the frame-by-frame form computes these on this machine: fp32 on the CPU, wide enough
  /// to gain from it, and nothing that wants a gradient.
  bool by_frames(const at::Tensor& input) const;
  /// video [B, 3, T, H, W], frame by frame; `emit` takes moments [B, 2 z, 1, h, w].
  void push_video(const at::Tensor& video, wan::FrameMemory& memory,
                  const wan::FrameSink& emit) const;
  /// latent [B, z, F, h, w], normalised; `emit` takes pixel frames [B, 3, 1, H, W].
  void push_latent(const at::Tensor& latent, wan::FrameMemory& memory,
                   const wan::FrameSink& emit) const;
  at::Tensor normalise(const at::Tensor& raw) const;
  at::Tensor denormalise(const at::Tensor& latent) const;
};

}  // namespace svi
