#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

#include "model/wan/dit/block.hpp"
#include "model/wan/dit/block_feed.hpp"
#include "model/wan/dit/contexts.hpp"
#include "model/wan/layers/lean.hpp"
#include "svi/model/wan/lean_blocks.hpp"

namespace svi {

bool takes_lean_blocks(at::DeviceType device, at::ScalarType dtype) {
  return device == at::kCPU && (dtype == at::kFloat || dtype == at::kBFloat16);
}

}  // namespace svi

namespace svi::wan {
namespace {

using fused::Gain;

// Rows of the feed-forward computed at a time: its hidden layer is the widest tensor of a block,
// and need not be there for all tokens at once.
constexpr std::int64_t kFeedForwardRows = 4096;

// The residual stream, fp32, and its latest norm in the dtype of the weights.
struct LeanTokens {
  at::Tensor x, h;  // [B, L, D]
  FrameOfToken frames;
  double eps;

  void add_norm(const at::Tensor& y, const at::Tensor& gate, const Gain& gain) {
    lean::residual_norm(x, y, gate, gain, frames, eps, 0, h.size(0) * h.size(1), h);
  }
};

// Self-attention where the tokens are one rank's: norms see all heads of a token, attention all
// tokens of a head, so the exchange is between the two.
at::Tensor split_attention(const WanAttention& layer, const at::Tensor& h, const Stream& stream,
                           const lean::Heads& heads) {
  const auto& split = *stream.split;
  const auto& rope = stream.rope;
  const auto L = rope.tokens();
  const auto own = [&](const WanLinear& part, const at::Tensor& norm) {  // [B, L, own width]
    return split.to_heads(lean::normed(lean::linear(h, part), norm, rope, heads), L);
  };
  const lean::Heads share{split.heads().count, heads.eps};
  const auto k = own(layer.k, layer.norm_k);  // one after another: ranks exchange in one order
  const auto v = split.to_heads(lean::linear(h, layer.v), L);
  const auto keys = lean::keys(k, v, {}, nullptr, share);
  const auto attended = lean::attend(own(layer.q, layer.norm_q), {}, nullptr, share, keys);
  return lean::linear(split.to_tokens(attended, L), layer.o);
}

at::Tensor lean_self_attention(const WanAttention& layer, std::size_t index, const at::Tensor& h,
                               const Stream& stream, const lean::Heads& heads) {
  if (stream.split != nullptr) return split_attention(layer, h, stream, heads);
  if (!stream.extended.views().first.empty()) {
    const auto q = lean::linear(h, layer.q), k = lean::linear(h, layer.k),
               v = lean::linear(h, layer.v);
    const auto attend = [&](std::int64_t first, std::int64_t count, const WanRope& rope) {
      const auto cut = [&](const at::Tensor& x) { return x.narrow(1, first, count).contiguous(); };
      return lean::attend(cut(q), layer.norm_q, &rope, heads,
                          lean::keys(cut(k), cut(v), layer.norm_k, &rope, heads));
    };
    return lean::linear(attend_in_views(stream, h.size(1), attend), layer.o);
  }
  const auto& rope = stream.rope;
  if (stream.behind != nullptr) {
    const auto [k, v] =
        stream.behind->joined(index, lean::linear(h, layer.k), lean::linear(h, layer.v));
    const auto keys = lean::keys(k, v, layer.norm_k, &stream.behind->rope, heads);
    return lean::linear(lean::attend(lean::linear(h, layer.q), layer.norm_q, &rope, heads, keys),
                        layer.o);
  }
  const auto keys =
      lean::keys(lean::linear(h, layer.k), lean::linear(h, layer.v), layer.norm_k, &rope, heads);
  return lean::linear(lean::attend(lean::linear(h, layer.q), layer.norm_q, &rope, heads, keys),
                      layer.o);
}

Context::BlockKeys context_keys(const WanAttention& layer, const Context& context,
                                const lean::Heads& heads) {
  const auto read = [&](const at::Tensor& from, const WanLinear& k, const WanLinear& v,
                        const at::Tensor& norm, double last_weight) {
    return lean::keys(lean::linear(from, k), lean::linear(from, v), norm, nullptr, heads,
                      last_weight);
  };
  Context::BlockKeys keys;
  keys.text = read(context.text(), layer.k, layer.v, layer.norm_k, context.last_weight());
  if (context.image().defined()) {
    keys.image = read(context.image(), layer.k_img, layer.v_img, layer.norm_k_img, 1);
  }
  return keys;
}

at::Tensor lean_cross_attention(const WanAttention& layer, const at::Tensor& h,
                                const Context::BlockKeys& keys, const lean::Heads& heads) {
  const auto q = lean::linear(h, layer.q);
  auto y = lean::attend(q, layer.norm_q, nullptr, heads, keys.text);
  if (keys.image.k.defined()) {
    y = y.add(lean::attend(q, layer.norm_q, nullptr, heads, keys.image));
  }
  return lean::linear(y, layer.o);
}

// The feed-forward and the norm after it, a slice of rows at a time.
void feed_forward(const WanBlock& block, LeanTokens& tokens, const at::Tensor& gate,
                  const Gain& next) {
  const auto flat = tokens.h.flatten(0, 1);  // [B L, D]
  for (std::int64_t first = 0; first < flat.size(0); first += kFeedForwardRows) {
    const auto n = std::min(kFeedForwardRows, flat.size(0) - first);
    const auto hidden =
        lean::linear(flat.narrow(0, first, n), block.ffn_0, lean::Activation::gelu_tanh);
    lean::residual_norm(tokens.x, lean::linear(hidden, block.ffn_2), gate, next, tokens.frames,
                        tokens.eps, first, n, tokens.h);
  }
}

}  // namespace

bool can_run_lean(const at::Tensor& x) {
  return !c10::GradMode::is_enabled() && takes_lean_blocks(x.device().type(), x.scalar_type());
}

at::Tensor run_blocks_lean(const WanDitParts& parts, const at::Tensor& x, const Stream& stream) {
  const auto& config = parts.config;
  const lean::Heads heads{config.heads, config.eps};
  // Row i of a modulation is [B, D], or [B, F, D] where time differs from frame to frame; rows 0,
  // 1, 2 are shift, scale and gate, 3, 4, 5 again.
  std::vector<at::Tensor> e;  // [B, (F,) 6, D] per block, then [B, (F,) 2, D] of the head
  for (const auto& block : parts.blocks) {
    e.push_back(block.modulation.to(at::kFloat) + stream.modulation);
  }
  e.push_back(stream.head_modulation);
  const auto modulate = [&](std::size_t block, std::int64_t shift) {
    return Gain{.mul = e[block].select(-2, shift + 1), .add = e[block].select(-2, shift), .one = 1};
  };

  LeanTokens tokens{x.to(at::kFloat), at::empty_like(x), stream.frames, config.eps};
  tokens.add_norm({}, {}, modulate(0, 0));
  BlockFeed feed(parts, Takes::stored);
  for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
    const auto held = feed.next();
    const auto& block = *held;
    const Gain affine{.mul = block.norm3_weight.to(at::kFloat),
                      .add = block.norm3_bias.to(at::kFloat)};
    tokens.add_norm(lean_self_attention(block.self_attn, i, tokens.h, stream, heads),
                    e[i].select(-2, 2), affine);
    const auto keys = stream.context->block(
        i, [&] { return context_keys(block.cross_attn, *stream.context, heads); });
    {  // gone before the largest tensors are there
      auto crossed = lean_cross_attention(block.cross_attn, tokens.h, *keys, heads);
      const auto place = static_cast<std::int64_t>(i);
      if (stream.extended.acts_after_cross_attention(place)) {
        tokens.x.add_(crossed);
        crossed = stream.extended.after_cross_attention(place, tokens.x).to(crossed.scalar_type());
      }
      tokens.add_norm(crossed, {}, modulate(i, 3));
    }
    feed_forward(block, tokens, e[i].select(-2, 5), modulate(i + 1, 0));
  }
  return tokens.h;
}

}  // namespace svi::wan
