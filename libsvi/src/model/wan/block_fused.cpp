#include <ATen/ATen.h>

#include <tuple>
#include <vector>

#include "model/wan/block.hpp"
#include "model/wan/fused.hpp"

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

}  // namespace

bool can_fuse(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

at::Tensor run_blocks_fused(const WanDitParts& parts, at::Tensor x, const Stream& stream) {
  const auto& config = parts.config;
  // Row i of a modulation is [B, D]; rows 0, 1, 2 are shift, scale and gate, 3, 4, 5 again.
  std::vector<at::Tensor> e;  // [B, 6, D] per block, then [B, 2, D] of the head
  for (const auto& block : parts.blocks) e.push_back(block.modulation + stream.modulation);
  e.push_back(stream.head_modulation);
  const auto modulate = [&](std::size_t block, std::int64_t shift) {
    return Gain{.mul = e[block].select(1, shift + 1), .add = e[block].select(1, shift), .one = 1};
  };

  at::Tensor h = fused::norm(x, modulate(0, 0), config.eps);
  for (std::size_t i = 0; i < parts.blocks.size(); ++i) {
    const auto& block = parts.blocks[i];
    const auto& self = block.self_attn;
    const auto attended =
        fused::self_attention(fused::linear(h, {&self.q, &self.k, &self.v}), self.norm_q,
                              self.norm_k, stream.rope, config.heads, config.eps);
    std::tie(x, h) =
        fused::add_norm(x, fused::linear(attended, {&self.o}), e[i].select(1, 2),
                        {.mul = block.norm3_weight, .add = block.norm3_bias}, config.eps);
    std::tie(x, h) = fused::add_norm(x, cross(block.cross_attn, h, stream, config), {},
                                     modulate(i, 3), config.eps);
    const auto hidden = fused::gelu(fused::linear(h, {&block.ffn_0}));
    std::tie(x, h) = fused::add_norm(x, fused::linear(hidden, {&block.ffn_2}), e[i].select(1, 5),
                                     modulate(i + 1, 0), config.eps);
  }
  return h;
}

}  // namespace svi::wan
