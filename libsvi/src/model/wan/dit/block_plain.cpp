#include <ATen/ATen.h>

#include "model/wan/dit/block.hpp"
#include "model/wan/dit/block_feed.hpp"
#include "model/wan/dit/recompute.hpp"
#include "model/wan/layers/ops.hpp"
#include "svi/core/check.hpp"

namespace svi::wan {
namespace {

at::Tensor plain_self_attention(const WanAttention& layer, std::size_t index, const at::Tensor& x,
                                const Stream& stream, const WanDitConfig& config) {
  if (!stream.extended.views().first.empty()) {
    const auto q = linear(x, layer.q), k = linear(x, layer.k), v = linear(x, layer.v);
    const auto attend = [&](std::int64_t first, std::int64_t count, const WanRope& rope) {
      const auto rotated = [&](const at::Tensor& part, const at::Tensor& norm) {
        return rms_rope(part.narrow(1, first, count), norm, config.heads, &rope, config.eps);
      };
      return attention(rotated(q, layer.norm_q), rotated(k, layer.norm_k),
                       split_heads(v.narrow(1, first, count), config.heads));
    };
    return linear(attend_in_views(stream, x.size(1), attend), layer.o);
  }
  const auto* rope = &stream.rope;
  if (stream.behind != nullptr) {
    const auto [keys, values] =
        stream.behind->joined(index, linear(x, layer.k), linear(x, layer.v));
    const auto q = rms_rope(linear(x, layer.q), layer.norm_q, config.heads, rope, config.eps);
    const auto k = rms_rope(keys, layer.norm_k, config.heads, &stream.behind->rope, config.eps);
    return linear(attention(q, k, split_heads(values, config.heads)), layer.o);
  }
  auto q = rms_rope(linear(x, layer.q), layer.norm_q, config.heads, rope, config.eps);
  auto k = rms_rope(linear(x, layer.k), layer.norm_k, config.heads, rope, config.eps);
  auto v = split_heads(linear(x, layer.v), config.heads);
  if (stream.split == nullptr) return linear(attention(q, k, v), layer.o);
  const auto& split = *stream.split;
  for (auto* part : {&q, &k, &v}) {  // [B, heads, own L, head_dim] -> [B, own heads, L, head_dim]
    *part = split_heads(split.to_heads(part->transpose(1, 2).flatten(2), rope->tokens()),
                        split.heads().count);
  }
  return linear(split.to_tokens(attention(q, k, v), rope->tokens()), layer.o);
}

at::Tensor plain_cross_attention(const WanAttention& layer, const at::Tensor& x,
                                 const Stream& stream, const WanDitConfig& config) {
  const auto heads = config.heads;
  const auto q = rms_rope(linear(x, layer.q), layer.norm_q, heads, nullptr, config.eps);
  const auto read = [&](const at::Tensor& context, const WanLinear& key, const at::Tensor& norm,
                        const WanLinear& value) {
    const auto k = rms_rope(linear(context, key), norm, heads, nullptr, config.eps);
    return attention(q, k, split_heads(linear(context, value), heads));
  };
  auto y = read(stream.text, layer.k, layer.norm_k, layer.v);
  if (stream.image.defined()) {
    y = y + read(stream.image, layer.k_img, layer.norm_k_img, layer.v_img);
  }
  return linear(y, layer.o);
}

// The rows of a modulation, [B, n, D] or [B, F, n, D], one by one and ready to meet tokens.
std::vector<at::Tensor> spread(const at::Tensor& rows, std::int64_t L, const FrameOfToken& frames) {
  std::vector<at::Tensor> spread;
  for (const auto& row : rows.unbind(-2)) spread.push_back(spread_over_tokens(row, L, frames));
  return spread;
}

at::Tensor plain_block(const WanBlock& block, std::size_t index, at::Tensor x, const Stream& stream,
                       const WanDitConfig& config) {
  const auto see = [&](const char* part) {
    if (stream.probe) stream.probe->see(cat("block ", index, ", ", part), x);
  };
  const auto all = block.modulation.to(at::kFloat) + stream.modulation;
  const auto e = spread(all, x.size(1), stream.frames);  // [B, 1, D] or [B, L, D] each
  const auto attended = plain_self_attention(
      block.self_attn, index, modulated_norm(x, e[0], e[1], config.eps), stream, config);
  x = gated_add(x, attended, e[2]);
  see("self-attention");
  x = x + plain_cross_attention(block.cross_attn,
                                affine_norm(x, block.norm3_weight, block.norm3_bias, config.eps),
                                stream, config);
  see("cross-attention");
  const auto place = static_cast<std::int64_t>(index);
  if (stream.extended.acts_after_cross_attention(place)) {
    x = x + stream.extended.after_cross_attention(place, x);
    see("extensions");
  }
  const auto hidden =
      at::gelu(linear(modulated_norm(x, e[3], e[4], config.eps), block.ffn_0), "tanh");
  x = gated_add(x, linear(hidden, block.ffn_2), e[5]);
  see("feed-forward");
  return x;
}

}  // namespace

at::Tensor run_blocks_plain(const WanDitParts& parts, at::Tensor x, const Stream& stream) {
  const auto& config = parts.config;
  BlockFeed feed(parts);
  for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
    const auto block = feed.next();
    const Body body = [&parts, i, held = std::weak_ptr(block), rope = stream.rope,
                       probe = stream.probe, split = stream.split, frames = stream.frames,
                       view_rope = stream.view_rope, behind = stream.behind,
                       extended = stream.extended](const std::vector<at::Tensor>& in) {
      const Stream seen{.modulation = in[1],
                        .text = in[2],
                        .image = in[3],
                        .rope = rope,
                        .probe = probe,
                        .split = split,
                        .frames = frames,
                        .extended = extended.with_inputs(in, 4),
                        .view_rope = view_rope,
                        .behind = behind};
      return std::vector<at::Tensor>{
          plain_block(*held_or_ready(held, parts, i), i, in[0], seen, parts.config)};
    };
    std::vector<at::Tensor> inputs{x, stream.modulation, stream.text, stream.image};
    for (const auto& kept : stream.extended.inputs()) inputs.push_back(kept);
    x = (parts.recompute ? recomputed(body, inputs) : body(inputs))[0];
  }
  const auto e = spread(stream.head_modulation, x.size(1), stream.frames);
  return modulated_norm(x, e[0], e[1], config.eps);
}

}  // namespace svi::wan
