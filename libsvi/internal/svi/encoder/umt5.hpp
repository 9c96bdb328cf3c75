#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "svi/core/export.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Sizes of a umT5 encoder; the defaults are those of umT5-XXL, the text encoder of Wan 2.1.
struct SVI_EXPORT Umt5Config {
  std::int64_t vocabulary = 256384;   // tokens
  std::int64_t dim = 4096;            // width of a token
  std::int64_t attention_dim = 4096;  // heads x channels of one
  std::int64_t ffn_dim = 10240;       // hidden width of the feed-forward layer
  std::int64_t heads = 64;            // of attention
  std::int64_t layers = 24;           // transformer blocks
  std::int64_t buckets = 32;          // of relative positions
  std::int64_t max_distance = 128;    // tokens; farther ones share a bucket
  double eps = 1e-6;                  // of the norms
};

/// The bucket of a key `relative` tokens after the query (before it: negative), both ways alike.
/// Source: Raffel et al. 2020 (T5, arXiv 1910.10683).
SVI_EXPORT std::int64_t umt5_bucket(std::int64_t relative, std::int64_t buckets,
                                    std::int64_t max_distance);

/// The encoder of umT5 (Chung et al. 2023, arXiv 2304.09151) as Wan 2.1 has it, with its tensor
/// names: every layer has a relative bias of its own, attention is not scaled, no layer has a bias.
///
/// Weights are used where they are: adopted from a memory-mapped file they are read as each layer
/// needs them and nothing is copied, unless they must be converted, and then a layer at a time.
/// Safe from several threads.
class SVI_EXPORT Umt5Encoder {
 public:
  /// Names and shapes only; weights come with `adopt`. Throws ConfigError for impossible sizes.
  explicit Umt5Encoder(const Umt5Config& config);
  Umt5Encoder(Umt5Encoder&&) noexcept;
  Umt5Encoder& operator=(Umt5Encoder&&) noexcept;
  ~Umt5Encoder();

  /// The sizes of these weights, official names. Throws IoError.
  static Umt5Config infer(const NamedTensors& weights);
  const Umt5Config& config() const;

  /// Every weight by its official name.
  NamedTensors parameters() const;
  /// Takes the tensors themselves (memory-mapped ones stay so), any floating dtype. Throws IoError
  /// naming `origin` if a name is missing, unknown or of another shape.
  LoadReport adopt(const NamedTensors& weights, const std::string& origin = "weights");
  /// Where and in which precision `encode` computes (default: CPU, fp32). The reference: bfloat16.
  void compute(const at::Device& device, at::ScalarType dtype);

  /// ids [B, L] int64, of each row the first lengths[b] (at least 1) are real; lengths [B] int64.
  /// Returns [B, L, dim] in the precision of `compute`, rows beyond a text's length zero. Throws
  /// Error for ids outside the vocabulary and lengths outside 1..L.
  at::Tensor encode(const at::Tensor& ids, const at::Tensor& lengths) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace svi
