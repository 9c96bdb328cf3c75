#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "svi/tensor/named_tensors.hpp"
#include "vision/transformers/clip_tower.hpp"
#include "vision/transformers/vision_transformer.hpp"

namespace svi::vision {

/// Paths of what the ensemble is made of.
struct DreamSimFiles {
  std::string dino;         // DINO ViT-B/16, Meta's file
  std::string clip;         // clip_vitb16_pretrain.pth.tar of DreamSim's release
  std::string open_clip;    // open_clip_vitb16_pretrain.pth.tar
  std::string lora;         // ensemble_lora/adapter_model.*, of PEFT
  std::string lora_config;  // ensemble_lora/adapter_config.json
};

/// The ensemble of DreamSim (Fu et al. 2023, arXiv 2306.09344): DINO, CLIP and OpenCLIP, all
/// ViT-B/16, with low-rank changes of their attention that are folded in when the files are opened.
///
/// Facts of the files come from github.com/ssundaram21/dreamsim, commit db4d16c: the two CLIP
/// towers lie there under DINO's names, beside `proj`; the adapter's tensors are named
/// ...extractor_list.I.model.blocks.N.attn.qkv.lora_A.weight with I = 0 (DINO), 1 (CLIP), 2
/// (OpenCLIP), and act with lora_alpha / rank of its adapter_config.json.
class DreamSim {
 public:
  explicit DreamSim(const DreamSimFiles& files, at::Device device = at::kCPU);

  /// Frames [B, 3, side, side] in [0, 1] to embeddings [B, 1792] of mean 0 and length 1.
  at::Tensor operator()(const at::Tensor& frames) const;

  std::int64_t side() const { return clip_.side(); }  // 224 in the official files

 private:
  DreamSim(const DreamSimFiles& files, at::Device device, const NamedTensors& adapter,
           double alpha);

  VisionTransformer dino_;
  ClipTower clip_, open_clip_;
};

/// W + alpha / rank * B A for the tensors that an adapter changes in branch `branch` of the
/// ensemble. Throws IoError naming the adapter's file if a change has no place.
NamedTensors with_low_rank(NamedTensors weights, const NamedTensors& adapter, int branch,
                           double alpha, const std::string& file);

/// A CLIP tower under DINO's names by OpenAI's, for ClipTower.
NamedTensors by_openai_names(const NamedTensors& weights);

}  // namespace svi::vision
