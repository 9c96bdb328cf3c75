#include <ATen/ATen.h>

#include <tuple>
#include <vector>

#include "model/wan/dit/block.hpp"
#include "model/wan/dit/block_feed.hpp"
#include "model/wan/dit/recompute.hpp"
#include "model/wan/layers/fused.hpp"

namespace svi::wan {
namespace {

using fused::Gain;

at::Tensor cross(const WanAttention& layer, const at::Tensor& x, const Stream& stream,
                 const WanDitConfig& config) {
  const auto q = fused::linear(x, {&layer.q});
  auto y = fused::cross_attention(q, fused::linear(stream.text, {&layer.k, &layer.v}), layer.norm_q,
                                  layer.norm_k, config.heads, config.eps);
  if (stream.image.defined()) {
    y = y + fused::cross_attention(q, fused::linear(stream.image, {&layer.k_img, &layer.v_img}),
                                   layer.norm_q, layer.norm_k_img, config.heads, config.eps);
  }
  return fused::linear(y, {&layer.o});
}

// Rows of a modulation are [B, D], or [B, F, D] where time differs from frame to frame; 0, 1, 2 are
// shift, scale and gate, 3, 4, 5 again.
Gain modulate(const at::Tensor& e, std::int64_t shift) {
  return {.mul = e.select(-2, shift + 1), .add = e.select(-2, shift), .one = 1};
}

struct FusedTokens {
  at::Tensor x;  // [B, L, D]
  at::Tensor h;  // [B, L, D]  x, normed and modulated for what reads it next
};

// {x, h} after the block; h is made for the next block, or the head, by its modulation.
std::vector<at::Tensor> fused_block(const WanBlock& block, std::int64_t index, FusedTokens&& tokens,
                                    const at::Tensor& e, const at::Tensor& next,
                                    const Stream& stream, const WanDitConfig& config) {
  auto& [x, h] = tokens;
  const auto& frames = stream.frames;
  const auto& self = block.self_attn;
  const auto qkv = fused::linear(h, {&self.q, &self.k, &self.v});
  const auto attended = attend_in_views(
      stream, h.size(1), [&](std::int64_t first, std::int64_t count, const WanRope& rope) {
        return fused::self_attention(qkv.narrow(1, first, count).contiguous(), self.norm_q,
                                     self.norm_k, rope, config.heads, config.eps);
      });
  std::tie(x, h) =
      fused::add_norm(x, fused::linear(attended, {&self.o}), e.select(-2, 2),
                      {.mul = block.norm3_weight, .add = block.norm3_bias}, frames, config.eps);
  auto crossed = cross(block.cross_attn, h, stream, config);
  if (stream.extended.acts_after_cross_attention(index)) {
    x = x + crossed;
    crossed = stream.extended.after_cross_attention(index, x);
  }
  std::tie(x, h) = fused::add_norm(x, crossed, {}, modulate(e, 3), frames, config.eps);
  const auto hidden = fused::gelu(fused::linear(h, {&block.ffn_0}));
  std::tie(x, h) = fused::add_norm(x, fused::linear(hidden, {&block.ffn_2}), e.select(-2, 5),
                                   modulate(next, 0), frames, config.eps);
  return {x, h};
}

}  // namespace

bool can_fuse(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

at::Tensor run_blocks_fused(const WanDitParts& parts, at::Tensor x, const Stream& stream) {
  const auto& config = parts.config;
  std::vector<at::Tensor> e;  // [B, (F,) 6, D] per block, then [B, (F,) 2, D] of the head
  for (const auto& block : parts.blocks) e.push_back(block.modulation + stream.modulation);
  e.push_back(stream.head_modulation);

  at::Tensor h = fused::norm(x, modulate(e[0], 0), stream.frames, config.eps);
  BlockFeed feed(parts);
  for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
    const auto block = feed.next();
    const Body body = [&parts, i, held = std::weak_ptr(block), rope = stream.rope,
                       frames = stream.frames, view_rope = stream.view_rope,
                       extended = stream.extended](const std::vector<at::Tensor>& in) {
      return fused_block(*held_or_ready(held, parts, i), static_cast<std::int64_t>(i),
                         {in[0], in[1]}, in[2], in[3],
                         {.text = in[4],
                          .image = in[5],
                          .rope = rope,
                          .frames = frames,
                          .extended = extended.with_inputs(in, 6),
                          .view_rope = view_rope},
                         parts.config);
    };
    std::vector<at::Tensor> inputs{x, h, e[i], e[i + 1], stream.text, stream.image};
    for (const auto& kept : stream.extended.inputs()) inputs.push_back(kept);
    const auto outputs = parts.recompute ? recomputed(body, inputs) : body(inputs);
    x = outputs[0];
    h = outputs[1];
  }
  return h;
}

}  // namespace svi::wan
