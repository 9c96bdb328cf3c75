#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/wan/vae/vae_frames.hpp"
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
  /// The convolution over a frame that has been through norm and SiLU, and those before it, which
  /// `past` keeps; `add` as in winograd_convolution.
  void push(at::Tensor normed, std::vector<at::Tensor>& past, FramePool& pool,
            const at::Tensor& add, at::Tensor& out) const;
};

class Layer {
 public:
  virtual ~Layer();
  virtual void visit(const std::string& prefix, const TensorVisitor& visitor) = 0;
  virtual at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const = 0;
  /// The same frame by frame, see vae_frames.hpp.
  virtual void push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
                    const FrameSink& emit) const = 0;
};

using Layers = std::vector<std::unique_ptr<Layer>>;

class Residual final : public Layer {
 public:
  Residual(std::int64_t in, std::int64_t out, const at::TensorOptions& options);
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const override;
  void push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
            const FrameSink& emit) const override;

 private:
  NormConvolution first_;
  NormConvolution second_;
  std::vector<Convolution> shortcut_;  // none or one
};

class Attention final : public Layer {
 public:
  Attention(std::int64_t channels, const at::TensorOptions& options);
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const override;
  void push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
            const FrameSink& emit) const override;

 private:
  at::Tensor gamma_;  // [C, 1, 1]
  Convolution to_qkv_;
  Convolution project_;
};

class Downsample final : public Layer {
 public:
  Downsample(std::int64_t channels, bool in_time, const at::TensorOptions& options);
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const override;
  void push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
            const FrameSink& emit) const override;

 private:
  Convolution space_;
  std::vector<Convolution> time_;  // none or one
};

class Upsample final : public Layer {
 public:
  Upsample(std::int64_t channels, bool in_time, const at::TensorOptions& options);
  void visit(const std::string& prefix, const TensorVisitor& visitor) override;
  at::Tensor forward(const at::Tensor& x, FeatureCache* cache) const override;
  void push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
            const FrameSink& emit) const override;

 private:
  at::Tensor stretch(const at::Tensor& x, FeatureCache* cache) const;
  at::Tensor doubled(const at::Tensor& x, at::Tensor* slot) const;
  void enlarge(at::Tensor frame, FramePool& pool, const FrameSink& emit) const;

  Convolution space_;
  std::vector<Convolution> time_;  // none or one
};

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
  /// One frame [B, H, W, C] in, what the layers make of it out.
  void push(at::Tensor frame, FrameMemory& memory, const FrameSink& emit) const;
};

}  // namespace svi::wan
