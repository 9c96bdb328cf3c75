#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "svi/model/wan/vae.hpp"

namespace svi::wan {

using TensorVisitor = std::function<void(const std::string& name, at::Tensor& tensor)>;

/// What the temporal convolutions remember between the pieces of a stream: one slot each, in the
/// order in which they run. Undefined slots have seen nothing yet.
class FeatureCache {
 public:
  at::Tensor& next();
  void rewind() { next_ = 0; }
  void clear() { slots_.clear(), next_ = 0; }

 private:
  std::vector<at::Tensor> slots_;
  std::size_t next_ = 0;
};

// All layers: x [B, C, T, H, W]. Without a cache they see the whole video at once; with one, the
// next piece of it. Both give the same numbers, because whatever a convolution reads before its
// first frame is zero in either case.

struct Convolution {
  at::Tensor weight;  // [out, in, kT, kH, kW] or [out, in, kH, kW]
  at::Tensor bias;    // [out]

  Convolution(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel,
              const at::TensorOptions& options);
  void visit(const std::string& prefix, const TensorVisitor& visitor);
  at::Tensor run(const at::Tensor& x, at::IntArrayRef stride, at::IntArrayRef padding) const;
  /// A kernel of 3 in time (and `space` to each side) over x that has its two frames of the past in
  /// front.
  at::Tensor causal(const at::Tensor& padded, std::int64_t space) const;
};

/// RMS norm, SiLU, causal 3x3x3 convolution.
struct NormConvolution {
  at::Tensor gamma;  // [in, 1, 1, 1]
  Convolution convolution;

  NormConvolution(std::int64_t in, std::int64_t out, const at::TensorOptions& options);
  at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const;
};

class Layer {
 public:
  virtual ~Layer();
  virtual void visit(const std::string& prefix, const TensorVisitor& visitor) = 0;
  virtual at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const = 0;
};

using Layers = std::vector<std::unique_ptr<Layer>>;

std::unique_ptr<Layer> residual(std::int64_t in, std::int64_t out,
                                const at::TensorOptions& options);
std::unique_ptr<Layer> attention(std::int64_t channels, const at::TensorOptions& options);
std::unique_ptr<Layer> downsample(std::int64_t channels, bool in_time,
                                  const at::TensorOptions& options);
std::unique_ptr<Layer> upsample(std::int64_t channels, bool in_time,
                                const at::TensorOptions& options);

/// Puts two frames of the past before x: zeros, or what the cache remembers.
at::Tensor pad_past(const at::Tensor& x, FeatureCache* cache);

/// Encoder or decoder: input convolution, levels, middle and head.
struct Side {
  bool encoder;
  Convolution input;
  Layers middle;  // residual, attention, residual
  Layers levels;  // `downsamples` or `upsamples`
  NormConvolution head;

  static Side make_encoder(const WanVaeConfig& config, const at::TensorOptions& options);
  static Side make_decoder(const WanVaeConfig& config, const at::TensorOptions& options);
  void visit(const TensorVisitor& visitor);
  at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const;
};

}  // namespace svi::wan
