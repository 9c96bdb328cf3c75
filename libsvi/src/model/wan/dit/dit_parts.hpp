#pragma once

#include <ATen/ATen.h>
#include <c10/core/Stream.h>

#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "svi/model/extension.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {

namespace wan {
class ContextCache;
class Split;
std::shared_ptr<ContextCache> make_context_cache();
}  // namespace wan

/// A linear layer, with the attached adapter's place if it has one.
struct WanLinear {
  at::Tensor weight;  // [out, in]
  at::Tensor bias;    // [out]
  at::Tensor scale;   // [out, groups] fp32, of a weight in int8; else undefined
  const Lora* lora = nullptr;
  std::size_t adapter = 0;  // index into lora->adapters()
};

struct WanAttention {
  WanLinear q, k, v, o;
  at::Tensor norm_q, norm_k;  // [dim]
  WanLinear k_img, v_img;     // cross-attention of models with an image branch
  at::Tensor norm_k_img;      // [dim]
};

struct WanBlock {
  at::Tensor
      modulation;  // [1, 6, dim]  shift, scale, gate of self-attention, then of the feed-forward
  WanAttention self_attn, cross_attn;
  at::Tensor norm3_weight, norm3_bias;  // [dim]
  WanLinear ffn_0, ffn_2;
};

/// cos and sin of the rotary positions of one latent size, fp32.
struct WanRope {
  std::int64_t frames = 0, rows = 0, columns = 0;
  at::Device device = at::kCPU;
  at::Tensor cos, sin;  // [L, head_dim / 2]; of a rank's own tokens where a model is split

  /// Of the whole latent.
  std::int64_t tokens() const { return frames * rows * columns; }
};

struct WanDitParts {
  WanDitConfig config;
  WanLinear patch_embedding;  // weight [dim, in_dim, pf, ph, pw]
  WanLinear text_0, text_2, time_0, time_2, time_projection;
  std::vector<WanBlock> blocks;
  at::Tensor head_modulation;  // [1, 2, dim]
  WanLinear head;
  at::Tensor img_norm_in_weight, img_norm_in_bias;  // [image_dim]
  WanLinear img_1, img_3;
  at::Tensor img_norm_out_weight, img_norm_out_bias;  // [dim]
  std::shared_ptr<Lora> lora;
  std::vector<std::shared_ptr<ModelExtension>> extensions;  // in the order of attaching
  bool recompute = false;                   // activation checkpointing of the blocks
  std::shared_ptr<const wan::Split> split;  // null: this process computes all tokens

  // Of the latest placement. What a block needs before use is read off its weights.
  std::size_t resident = std::numeric_limits<std::size_t>::max();
  bool release_pages = false;
  std::optional<c10::Stream> side_stream;  // brings blocks to a device that has streams

  std::shared_ptr<wan::ContextCache> contexts = wan::make_context_cache();
  mutable std::atomic<std::int64_t> tokens{0};  // WanDit::tokens
  mutable std::mutex rope_mutex;
  mutable std::vector<WanRope> ropes;

  /// The rotary tables for `frames` x `rows` x `columns` tokens, computed once per size and device.
  WanRope rope(std::int64_t frames, std::int64_t rows, std::int64_t columns,
               const at::Device& device) const;
};

/// Calls `visit(name, tensor)` for each weight, under its official name and in the official order.
template <class Parts, class Visit>
void visit_weights(Parts& parts, const Visit& visit) {
  const auto linear = [&](const std::string& name, auto& layer) {
    visit(name + ".weight", layer.weight);
    visit(name + ".bias", layer.bias);
  };
  linear("patch_embedding", parts.patch_embedding);
  linear("text_embedding.0", parts.text_0);
  linear("text_embedding.2", parts.text_2);
  linear("time_embedding.0", parts.time_0);
  linear("time_embedding.2", parts.time_2);
  linear("time_projection.1", parts.time_projection);
  for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
    auto& block = parts.blocks[i];
    const auto prefix = "blocks." + std::to_string(i) + ".";
    visit(prefix + "modulation", block.modulation);
    const auto attention = [&](const std::string& name, auto& layer) {
      linear(name + ".q", layer.q);
      linear(name + ".k", layer.k);
      linear(name + ".v", layer.v);
      linear(name + ".o", layer.o);
      visit(name + ".norm_q.weight", layer.norm_q);
      visit(name + ".norm_k.weight", layer.norm_k);
    };
    attention(prefix + "self_attn", block.self_attn);
    visit(prefix + "norm3.weight", block.norm3_weight);
    visit(prefix + "norm3.bias", block.norm3_bias);
    attention(prefix + "cross_attn", block.cross_attn);
    if (parts.config.image_dim > 0) {
      linear(prefix + "cross_attn.k_img", block.cross_attn.k_img);
      linear(prefix + "cross_attn.v_img", block.cross_attn.v_img);
      visit(prefix + "cross_attn.norm_k_img.weight", block.cross_attn.norm_k_img);
    }
    linear(prefix + "ffn.0", block.ffn_0);
    linear(prefix + "ffn.2", block.ffn_2);
  }
  visit("head.modulation", parts.head_modulation);
  linear("head.head", parts.head);
  if (parts.config.image_dim > 0) {
    visit("img_emb.proj.0.weight", parts.img_norm_in_weight);
    visit("img_emb.proj.0.bias", parts.img_norm_in_bias);
    linear("img_emb.proj.1", parts.img_1);
    linear("img_emb.proj.3", parts.img_3);
    visit("img_emb.proj.4.weight", parts.img_norm_out_weight);
    visit("img_emb.proj.4.bias", parts.img_norm_out_bias);
  }
}

/// Calls `visit(prefix + name, layer)` for each linear of a block, in order.
template <class Block, class Visit>
void visit_linears(Block& block, const WanDitConfig& config, const std::string& prefix,
                   const Visit& visit) {
  const auto attention = [&](const std::string& name, auto& layer) {
    visit(name + ".q", layer.q);
    visit(name + ".k", layer.k);
    visit(name + ".v", layer.v);
    visit(name + ".o", layer.o);
  };
  attention(prefix + "self_attn", block.self_attn);
  attention(prefix + "cross_attn", block.cross_attn);
  if (config.image_dim > 0) {
    visit(prefix + "cross_attn.k_img", block.cross_attn.k_img);
    visit(prefix + "cross_attn.v_img", block.cross_attn.v_img);
  }
  visit(prefix + "ffn.0", block.ffn_0);
  visit(prefix + "ffn.2", block.ffn_2);
}

/// Calls `visit(name, layer)` for each linear of the blocks, in order.
template <class Parts, class Visit>
void visit_block_linears(Parts& parts, const Visit& visit) {
  for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
    visit_linears(parts.blocks[i], parts.config, "blocks." + std::to_string(i) + ".", visit);
  }
}

}  // namespace svi
