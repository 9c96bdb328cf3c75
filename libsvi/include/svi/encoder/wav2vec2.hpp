#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Sizes of a wav2vec 2.0 encoder; the defaults are those of wav2vec2-base.
struct SVI_EXPORT Wav2Vec2Config {
  std::vector<std::int64_t> conv_dim = {512, 512, 512, 512, 512, 512, 512};  // channels
  std::vector<std::int64_t> conv_kernel = {10, 3, 3, 3, 3, 2, 2};            // width, in samples
  std::vector<std::int64_t> conv_stride = {5, 2, 2, 2, 2, 2, 2};             // step, in samples
  std::int64_t dim = 768;                                                    // token width
  std::int64_t ffn_dim = 3072;                                               // hidden width
  std::int64_t heads = 12;                                                   // of attention
  std::int64_t layers = 12;                                                  // transformer blocks
  std::int64_t position_kernel = 128;  // width of the position convolution
  std::int64_t position_groups = 16;   // its groups
  double eps = 1e-5;                   // of the norms
};

/// The speech encoder wav2vec 2.0 (Baevski et al. 2020, arXiv 2006.11477), base architecture (norm
/// over groups in the first convolution, norms after the blocks), with the tensor names of its
/// published checkpoints.
///
/// Computes in fp32 on the CPU. Safe from several threads.
class SVI_EXPORT Wav2Vec2 {
 public:
  /// Names and shapes only; weights come with `adopt`. Throws ConfigError for impossible sizes.
  explicit Wav2Vec2(const Wav2Vec2Config& config);
  Wav2Vec2(Wav2Vec2&&) noexcept;
  Wav2Vec2& operator=(Wav2Vec2&&) noexcept;
  ~Wav2Vec2();

  const Wav2Vec2Config& config() const;
  /// Every weight by its name (without the prefix "wav2vec2." that some files have).
  NamedTensors parameters() const;
  /// Takes the tensors themselves. What only pretraining needs (quantizer, masked_spec_embed,
  /// heads) is passed over; the weight norm of the positions may have either of its namings. Throws
  /// IoError naming `origin`.
  LoadReport adopt(const NamedTensors& weights, const std::string& origin = "weights");

  /// samples [B, N] of 16 kHz mono sound, made zero mean and unit variance here; `frames`: rows
  /// wanted, to which the features are stretched linearly (both ends kept), 0 for as many as the
  /// convolutions give. Returns the states after each block, [B, frames, layers, dim] fp32.
  at::Tensor encode(const at::Tensor& samples, std::int64_t frames = 0) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace svi
