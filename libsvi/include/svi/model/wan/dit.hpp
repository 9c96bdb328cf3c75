#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/model/causal.hpp"
#include "svi/model/model.hpp"
#include "svi/model/wan/dit_placement.hpp"
#include "svi/model/weights.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

class Collective;
class Lora;
class ModelExtension;
struct ExtensionHost;
struct WanDitParts;

/// The sizes of a Wan 2.1 diffusion transformer; defaults are those of T2V-1.3B.
struct SVI_EXPORT WanDitConfig {
  std::vector<std::int64_t> patch = {1, 2, 2};  // latent frames, rows, columns per token
  std::int64_t in_dim = 16;                     // 16 noisy channels, or 36 with the image condition
  std::int64_t out_dim = 16;
  std::int64_t dim = 1536;
  std::int64_t ffn_dim = 8960;
  std::int64_t freq_dim = 256;
  std::int64_t text_dim = 4096;
  std::int64_t text_len = 512;
  std::int64_t heads = 12;
  std::int64_t layers = 30;
  std::int64_t image_dim = 0;
  double eps = 1e-6;

  void describe(OptionVisitor& visit);
  /// What is wrong between fields, in words; empty if nothing.
  std::string problem() const;
};

/// One linear layer by its official name, as an adapter sees it.
struct LinearShape {
  std::string name;      // e.g. blocks.0.self_attn.q
  std::int64_t in = 0;   // features
  std::int64_t out = 0;  // features
};

/// The Wan 2.1 diffusion transformer (Wan et al. 2025, arXiv 2503.20314) with the official tensor
/// names, at any size. Text-to-video, image-to-video by channels, and image-to-video with CLIP
/// tokens.
///
/// Computes in the dtype and on the device of its weights, or as `place` says; norms, modulation
/// and rotation are fp32. velocity() may run from several threads as long as nobody changes weights
/// or adapters meanwhile.
class SVI_EXPORT WanDit : public VelocityModel, public CausalModel {
 public:
  /// Weights are zero (norm gains one); with the meta device nothing is allocated. Throws
  /// ConfigError where `config.problem()` is not empty.
  explicit WanDit(const WanDitConfig& config, const at::TensorOptions& options = {});
  ~WanDit() override;

  const WanDitConfig& config() const;

  /// Fresh weights for training from scratch, a function of the seed alone.
  void initialise(std::uint64_t seed);

  /// Every weight by its official name, sharing storage; gradients accumulate in these tensors.
  NamedTensors parameters() const;

  /// Copies weights of exactly these names and shapes; throws IoError naming `origin` otherwise.
  LoadReport load(const NamedTensors& weights, const std::string& origin = "weights");

  /// Takes weights of exactly these names and shapes as its own, in place and in any floating
  /// dtype, fp8 included; throws IoError naming `origin` otherwise. Memory-mapped ones stay mapped,
  /// so even a 14B model is there in seconds, and a model built on the meta device never holds
  /// others.
  ///
  /// The model then computes in fp32 on the CPU and converts blocks as they come, until `place`
  /// says otherwise.
  LoadReport adopt(const NamedTensors& weights, const std::string& origin = "weights");

  /// Moves and converts weights as `placement` says, for inference and for training adapters. Time
  /// embedding, modulation and layer norms are kept in fp32, as the official code computes them.
  /// Blocks that were converted before stay as exact as they were then. Adapters move by themselves
  /// (Lora::to). Throws ConfigError for an impossible placement.
  void place(const DitPlacement& placement);

  /// Stores the linear layers of the blocks in 8 bits from here on; they are converted as they are
  /// used. Compares the velocity of random inputs before and after: where it changed by more than
  /// `options.limit` everything stays as it was and ConfigError is thrown. Merge adapters before,
  /// or attach them. `parameters` then has the integers, without their scales.
  QuantisationReport quantise(const QuantisationOptions& options = {});

  /// Reads every size from names and shapes. `heads` = 0 means dim / 128; throws IoError where that
  /// is not whole, or where a tensor that tells a size is missing. `text_len` is left 0.
  static WanDitConfig infer(const NamedTensors& weights, std::int64_t heads = 0);

  /// noisy [B, C, F, h, w] (fp32 or the weights' dtype); timestep [B], 1000 sigma, each sample its
  /// own; condition.text [B, L, text_dim], zero-padded here to text_len where that is not 0;
  /// condition.image [B, in_dim - C, F, h, w]; condition.clip [B, tokens, image_dim].
  /// Returns [B, out_dim, F, h, w] in the dtype of `noisy`. Records gradients unless the caller's
  /// GradMode is off.
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override;

  /// Frames behind others, as CausalModel says: no extensions, no split, patches of one latent
  /// frame. Runs the lean blocks or, where these cannot run, plain tensor operations.
  at::Tensor velocity_behind(const FrameKeys& past, const at::Tensor& noisy,
                             const at::Tensor& timestep, const Condition& condition,
                             FrameKeys* kept = nullptr) const override;

  /// Keeps what the blocks compute of text and CLIP tokens for the latest `count` conditions, which
  /// are told apart by their values: a sampler asks with the same ones at every step. 0 (the start)
  /// keeps nothing. Only passes without gradients on the CPU use it. A condition of R text rows and
  /// N CLIP tokens takes 2 layers (R + N) dim numbers, where zero rows that pad the text count
  /// once. Weights and adapters may change meanwhile by any tensor operation; after writing them
  /// through a pointer, call keep_contexts(0) first.
  void keep_contexts(std::size_t count);

  /// Runs the model once more, by plain tensor operations, and looks at the inputs, after the
  /// embeddings, after each part of each block and after the head; e.g. "first in block 3,
  /// feed-forward; weights that are not finite: blocks.3.ffn.0.weight". Attention on the CPU can
  /// swallow a NaN in its keys; then velocity() is finite, and nobody asks.
  std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                               const Condition& condition) const override;

  /// Whether the model's own weights collect gradients (pretraining) or not (adapters; the
  /// default). Throws Error if some are converted as they are used.
  void require_grad(bool required);
  /// Whether a forward pass that records gradients keeps only each block's input and computes the
  /// rest of the block again in the backward pass (activation checkpointing): memory for about a
  /// third more time. Off by default; numbers and gradients are the same. The model must then stay
  /// as it is, and alive, until the backward pass.
  void recompute_blocks(bool enabled);
  /// Computes each velocity on all ranks of `group` together (sequence parallelism): a rank has its
  /// share of the tokens, and in self-attention of the heads. Every rank gets the whole velocity,
  /// with the same bytes, and up to rounding that of a single process. Shares may be uneven.
  /// In each block a rank sends (R - 1) / R of its [B, L / R, dim] four times through `collective`,
  /// which this connects.
  ///
  /// From then on velocity() is collective: all ranks call it in the same order with the same
  /// arguments, weights and adapters, from one thread, without gradients. A group of one ends it.
  /// Throws ConfigError where there are more ranks than heads.
  void split_over(const Communicator& group, std::unique_ptr<Collective> collective);
  /// Moves the weights, all of them into one dtype. Adapters move by themselves (Lora::to).
  void to(const at::Device& device, at::ScalarType dtype);

  /// The layers an adapter can hook: every linear of the blocks, in order.
  std::vector<LinearShape> linears() const;
  /// Adds the adapter's update to the layers it names; throws Error if a name or shape is unknown
  /// or another adapter is attached.
  void attach(std::shared_ptr<Lora> lora);
  void detach();                              // takes the adapter off
  const std::shared_ptr<Lora>& lora() const;  // null if none is attached

  /// What an extension is built for to join this model (ModelExtension::build).
  ExtensionHost extension_host() const;
  /// Adds an extension that is built for this model's sizes. Several may be there; what they add is
  /// summed. Parameters do not move with the model (ModelExtension::to). Throws Error where it is
  /// built for other sizes, or its label is taken.
  ///
  /// Every implementation of the blocks runs extensions. A model that is split over ranks refuses
  /// them, with ConfigError; quantise() comes before attaching.
  void attach(std::shared_ptr<ModelExtension> extension);
  void detach_extensions();                                                // takes all of them off
  const std::vector<std::shared_ptr<ModelExtension>>& extensions() const;  // in order
  /// Names of the condition parts that velocity() takes: text, image, clip, and what extensions
  /// read. Any other is refused.
  std::vector<std::string> reads() const;
  /// Those of them that extensions read beside the model's own: what data brings as tracks.
  std::vector<std::string> track_parts() const;
  /// Latents as the model's own patch embedding sees them, for extensions that bring token groups:
  /// [B, C, f, h, w] -> [B, f h w / patch, dim] in the dtype of the weights, in the order frame,
  /// row, column. C may be less than in_dim: channels that are missing count as zeros. Sizes are
  /// whole numbers of patches.
  at::Tensor embed_patches(const at::Tensor& latent) const;
  /// Tokens that velocity() has computed so far: of every pass and sample, latent and token groups.
  std::int64_t tokens() const;

 private:
  std::unique_ptr<WanDitParts> parts_;
};

}  // namespace svi
