#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Sizes of a Wan VAE. The defaults are the official 127 M parameter one.
struct SVI_EXPORT WanVaeConfig {
  std::int64_t dim = 96;
  std::int64_t z_dim = 16;
  std::vector<std::int64_t> dim_mult = {1, 2, 4, 4};
  std::int64_t num_res_blocks = 2;
  std::vector<std::int64_t> temporal_downsample = {0, 1, 1};
  std::vector<double> latent_mean = {};  // empty: the official values for z_dim 16, otherwise 0
  std::vector<double> latent_std = {};   // empty: the official values for z_dim 16, otherwise 1

  void describe(OptionVisitor& visit);
  /// What is wrong between fields; empty if nothing.
  std::string problem() const;

  /// Pixel frames per latent frame after the first: 2 to the number of temporal downsamplings.
  std::int64_t temporal_stride() const;
  /// Pixels per latent pixel, each way.
  std::int64_t spatial_stride() const;
  bool operator==(const WanVaeConfig&) const = default;
};

/// The causal video autoencoder of Wan 2.1 at any size, with the official tensor names.
///
/// Frame 0 of a video becomes latent frame 0 by itself; every further latent frame stands for
/// `temporal_stride` pixel frames. All tensors share the dtype and device of the weights; latents
/// are normalised per channel. Const methods are safe from several threads.
class SVI_EXPORT WanVae {
 public:
  /// Zero weights, fp32. On the `meta` device it has names and shapes only. Throws ConfigError.
  explicit WanVae(WanVaeConfig config, at::Device device = at::Device(at::kCPU));
  WanVae(WanVae&&) noexcept;
  WanVae& operator=(WanVae&&) noexcept;
  ~WanVae();

  /// The sizes that these weights ask for, read from their shapes, statistics included if they are
  /// there. Throws IoError if they are not those of a Wan VAE.
  static WanVaeConfig infer(const NamedTensors& weights);
  /// Model and weights from a file of any known naming; `copy` chooses where it holds several.
  /// Throws IoError.
  static WanVae open(const std::string& path, const std::string& copy = {});

  const WanVaeConfig& config() const;

  /// Draws all weights: uniform with the variance 1 / fan-in, biases 0, the attention's output
  /// 0.
  void initialise(std::uint64_t seed);
  /// The weights by their official names; they share storage with the model.
  NamedTensors parameters() const;
  /// Copies weights in, and `latent_mean`, `latent_std` [z] where they are given. Throws IoError,
  /// naming `origin`, if a name is missing, unknown or of another shape.
  LoadReport load(const NamedTensors& weights, const std::string& origin = "weights");
  /// The weights with `latent_mean` and `latent_std` added: what `load` and `infer` read.
  NamedTensors state() const;
  void require_grad(bool enabled);                   // of all weights
  void to(at::Device device, at::ScalarType dtype);  // all weights
  /// What activations are computed and kept in, while weights, inputs and results keep their dtype:
  /// bfloat16 trains about 2.5 times as fast on a CPU with AMX. Resets to the weights' dtype with
  /// `to`.
  void set_activations(at::ScalarType dtype);
  at::Device device() const;     // of the weights
  at::ScalarType dtype() const;  // of the weights

  /// Latent frames for T pixel frames. Throws svi::Error naming the nearest legal T.
  std::int64_t latent_frames(std::int64_t pixel_frames) const;
  std::int64_t pixel_frames(std::int64_t latent_frames) const;  // T for F latent frames

  /// Statistics that make latents zero mean, unit variance: z = (mu - mean) / std. Both [z].
  void set_latent_statistics(const at::Tensor& mean, const at::Tensor& std);
  at::Tensor latent_mean() const;                          // [z]  fp32, CPU
  at::Tensor latent_std() const;                           // [z]  fp32, CPU
  at::Tensor normalise(const at::Tensor& raw) const;       // [B, z, F, h, w]
  at::Tensor denormalise(const at::Tensor& latent) const;  // [B, z, F, h, w]

  /// video [B, 3, T, H, W] in [-1, 1] to the normalised mean latent [B, z, F, h, w].
  /// Differentiable.
  at::Tensor encode(const at::Tensor& video) const;
  /// Mean and log-variance before normalisation, each [B, z, F, h, w]. Differentiable.
  std::pair<at::Tensor, at::Tensor> encode_moments(const at::Tensor& video) const;
  /// Normalised latent [B, z, F, h, w] to video [B, 3, T, H, W], not clamped. Differentiable.
  at::Tensor decode(const at::Tensor& latent) const;

  struct Network;

 private:
  friend class EncoderStream;
  friend class DecoderStream;
  std::shared_ptr<Network> network_;
};

/// Encodes a video that arrives piece by piece, in memory that does not grow; the latents are those
/// of `encode` over all frames so far. No gradients. Borrows the model's weights.
class SVI_EXPORT EncoderStream {
 public:
  explicit EncoderStream(const WanVae& vae);  // borrows the codec
  ~EncoderStream();
  /// Takes any number of frames, video [B, 3, T, H, W]; returns the latents they complete,
  /// [B, z, F, h, w], undefined if none. Frames of an unfinished group wait for the next call.
  at::Tensor push(const at::Tensor& video);
  /// Frames that wait.
  std::int64_t pending() const;
  /// Back to the state before the first frame.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Decodes latents as they arrive, in memory that does not grow; the frames are those of `decode`
/// over all latents so far. No gradients. Borrows the model's weights.
class SVI_EXPORT DecoderStream {
 public:
  explicit DecoderStream(const WanVae& vae);  // borrows the codec
  ~DecoderStream();
  /// latent [B, z, F, h, w], F >= 1, one after the other inside; returns their frames [B, 3, T, H,
  /// W]: one for the very first latent, `temporal_stride` for every other.
  at::Tensor push(const at::Tensor& latent);
  /// Hands the frames over in order as they exist, [B, 3, n, H, W] of one or a few, and keeps none.
  using OnVideo = std::function<void(at::Tensor video)>;
  void push(const at::Tensor& latent, const OnVideo& on_video);  // likewise, piece by piece
  void reset();  // back to the state before the first

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svi
