#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "vision/layers.hpp"
#include "vision/weights.hpp"

namespace svi::vision {

/// `quick` is x sigmoid(1.702 x), which OpenAI trained CLIP with; `exact` goes by the error
/// function.
enum class Gelu { exact, quick };

/// A block of a transformer that normalises before each half: attention, then two linear layers,
/// both added to what came in.
struct Block {
  LayerNorm norm1, norm2;
  Linear qkv, out;            // [3 W, W]: q, k, v, heads one after the other in each; [W, W]
  Linear fc1, fc2;            // [M, W], [W, M]
  at::Tensor gamma1, gamma2;  // [W]: scales of what the halves add; undefined: 1
  std::int64_t heads = 0;
  Gelu gelu = Gelu::exact;

  /// x is [B, N, W]; `causal`: a token sees itself and those before it.
  at::Tensor operator()(const at::Tensor& x, bool causal = false) const;
};

/// Names of DINO, DINOv2 and timm: NAME.norm1, NAME.attn.qkv, NAME.attn.proj, NAME.mlp.fc1, and
/// NAME.ls1.gamma where the file has it.
Block timm_block(Weights& weights, const std::string& name, std::int64_t width, std::int64_t heads,
                 double epsilon, Gelu gelu = Gelu::exact);

/// Names of CLIP: NAME.ln_1, NAME.attn.in_proj_weight, NAME.attn.out_proj, NAME.mlp.c_fc; heads of
/// 64.
Block clip_block(Weights& weights, const std::string& name, std::int64_t width, Gelu gelu);

}  // namespace svi::vision
