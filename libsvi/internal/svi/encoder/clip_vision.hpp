#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "svi/core/export.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Sizes of a CLIP image tower; the defaults are those of XLM-R ViT-H/14, the image encoder of Wan
/// 2.1.
struct SVI_EXPORT ClipVisionConfig {
  std::int64_t image = 224;     // pixels, each way
  std::int64_t patch = 14;      // pixels, each way
  std::int64_t dim = 1280;      // token width
  std::int64_t mlp_dim = 5120;  // hidden width of the MLP
  std::int64_t heads = 16;      // of attention
  std::int64_t layers = 32;     // transformer blocks
  std::int64_t out_dim = 1024;  // of the projection, which Wan does not use; 0: the file has none
  double eps = 1e-5;            // of the norms

  std::int64_t tokens() const { return (image / patch) * (image / patch) + 1; }  // and class
};

/// The image tower of CLIP (Radford et al. 2021, arXiv 2103.00020) as Wan 2.1 uses it, with its
/// tensor names (`visual.*`): the tokens after all blocks but the last.
///
/// Weights are used where they are, converted a layer at a time. Safe from several threads.
class SVI_EXPORT ClipVision {
 public:
  /// Names and shapes only; weights come with `adopt`. Throws ConfigError for impossible sizes.
  explicit ClipVision(const ClipVisionConfig& config);
  ClipVision(ClipVision&&) noexcept;
  ClipVision& operator=(ClipVision&&) noexcept;
  ~ClipVision();

  /// The sizes of these weights; heads are dim / 80 as in ViT-H unless given. Throws IoError.
  static ClipVisionConfig infer(const NamedTensors& weights, std::int64_t heads = 0);
  const ClipVisionConfig& config() const;

  /// Every weight of the tower by its official name, those of the last block, `post_norm` and
  /// `head` among them, which `encode` does not read.
  NamedTensors parameters() const;
  /// Takes the tensors themselves, any floating dtype. The text tower of the official file
  /// (`textual.*`, `log_scale`) is passed over. Throws IoError naming `origin`.
  LoadReport adopt(const NamedTensors& weights, const std::string& origin = "weights");
  /// Where and in which precision `encode` computes (default: CPU, fp32).
  void compute(const at::Device& device, at::ScalarType dtype);

  /// frames [B, 3, H, W] in [-1, 1], any size: resized to the tower's square (bicubic, aspect
  /// ignored) and normalised. Returns [B, tokens, dim] fp32 on the device of `compute`.
  at::Tensor encode(const at::Tensor& frames) const;
  /// The resized and normalised image alone, [B, 3, image, image] fp32.
  at::Tensor preprocess(const at::Tensor& frames) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace svi
