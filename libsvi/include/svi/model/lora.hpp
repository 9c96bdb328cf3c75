#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Which layers get a low-rank adapter, and how large; defaults are the reference's.
struct SVI_EXPORT LoraConfig {
  std::int64_t rank = 128;
  double alpha = 128;
  std::vector<std::string> targets = {"q", "k", "v", "o", "ffn.0", "ffn.2"};
  bool self_attn = true;
  bool cross_attn = true;
  std::vector<std::int64_t> layers = {};

  void describe(OptionVisitor& visit);
  /// What is wrong between fields, in words; empty if nothing.
  std::string problem() const;
};

/// Names adapters are known by in files.
enum class LoraNaming {
  official,  // pipe.dit.blocks.0.self_attn.q.lora_A.default.weight, as Li et al. 2025 publish them
  peft,      // base_model.model.blocks.0.self_attn.q.lora_A.weight
  comfyui,   // diffusion_model.blocks.0.self_attn.q.lora_A.weight
};

/// One adapted layer: its weight acts as W + scale B A.
struct LoraAdapter {
  LinearShape layer;  // name and sizes
  at::Tensor a;       // [rank, in]   fp32, a view into Lora::flat()
  at::Tensor b;       // [out, rank]  fp32, likewise
};

/// Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) of chosen linear layers, kept in one flat
/// fp32 buffer, so that an optimiser or a collective sees a single tensor.
///
/// A starts uniform in +-1 / sqrt(in), B zero, so a fresh adapter changes nothing. Attach to a
/// model with WanDit::attach; gradients of a backward pass add up in flat_grad().
class SVI_EXPORT Lora {
 public:
  /// Adapters for those of `linears` that the configuration names; the start is a function of seed
  /// and layer alone. Throws ConfigError if the configuration is wrong or a target fits no layer.
  Lora(const LoraConfig& config, const std::vector<LinearShape>& linears, std::uint64_t seed,
       const at::Device& device = at::Device(at::kCPU));

  const LoraConfig& config() const { return config_; }
  /// alpha / rank.
  double scale() const { return config_.alpha / static_cast<double>(config_.rank); }
  const std::vector<LoraAdapter>& adapters() const { return adapters_; }  // in layer order

  /// [N] fp32: every A and B, in the order of the layers.
  const at::Tensor& flat() const { return flat_; }
  /// [N] fp32: their gradients, added up by backward passes; undefined while gradients are off.
  const at::Tensor& flat_grad() const { return flat_grad_; }
  void zero_grad();  // before a new sum of gradients
  /// Whether backward passes reach the adapters (the default). Off frees the gradient buffer.
  void require_grad(bool required);
  void to(const at::Device& device);  // moves all of it

  /// Every A and B under the chosen names, sharing storage.
  NamedTensors tensors(LoraNaming naming = LoraNaming::official) const;
  /// Copies adapters of any known naming; throws IoError naming `origin` and every tensor that is
  /// missing, unexpected or of another shape.
  LoadReport load(const NamedTensors& tensors, const std::string& origin = "adapter");
  /// The configuration that a file's tensors have. Files hold no alpha: it is set to the rank
  /// (scale 1) unless the file brings it. Throws IoError where the names are no adapter's.
  static LoraConfig infer(const NamedTensors& tensors);

 private:
  void bind();  // points adapters and their gradients into the flat buffers

  LoraConfig config_;
  std::vector<LoraAdapter> adapters_;
  at::Tensor flat_, flat_grad_;
};

}  // namespace svi
