#pragma once

#include "model/wan/vae_layers.hpp"

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
  /// Mean and log-variance, [B, 2 z, F, h, w], before normalisation.
  at::Tensor moments(const at::Tensor& video, wan::FeatureCache* cache) const;
  at::Tensor pixels(const at::Tensor& latent, wan::FeatureCache* cache) const;
  at::Tensor normalise(const at::Tensor& raw) const;
  at::Tensor denormalise(const at::Tensor& latent) const;
};

}  // namespace svi
