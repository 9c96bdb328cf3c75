#include "model/wan/layers/ops.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/wan/dit/modulation.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dense.hpp"
#include "svi/tensor/instruction_set.hpp"

namespace svi::wan {

at::Tensor spread_over_tokens(const at::Tensor& table, std::int64_t L, const FrameOfToken& frames) {
  if (table.dim() == 2) return table.unsqueeze(1);
  if (frames.row.defined()) return table.index_select(1, frames.row);
  const auto frame =
      (at::arange(L, at::TensorOptions(at::kLong).device(table.device())) + frames.first)
          .floor_divide(frames.tokens);
  return table.index_select(1, frame);
}

at::Tensor linear(const at::Tensor& x, const WanLinear& layer) {
  // A block that is computed again for its gradients must see what it saw without recording them.
  const bool recorded = x.scalar_type() == at::kBFloat16 && !multiplies_bf16();
  auto y = c10::GradMode::is_enabled() || recorded ? at::linear(x, layer.weight, layer.bias)
                                                   : dense(x, layer.weight, layer.bias);
  if (layer.lora == nullptr) return y;
  const auto& adapter = layer.lora->adapters()[layer.adapter];
  const auto a = adapter.a.to(x.scalar_type());
  const auto b = adapter.b.to(x.scalar_type());
  return y + at::linear(at::linear(x, a), b) * layer.lora->scale();
}

at::Tensor modulated_norm(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                          double eps) {
  const auto normed = at::layer_norm(x.to(at::kFloat), {x.size(-1)}, {}, {}, eps);
  return at::addcmul(shift, normed, scale + 1).to(x.scalar_type());
}

at::Tensor gated_add(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate) {
  return at::addcmul(x.to(at::kFloat), y.to(at::kFloat), gate).to(x.scalar_type());
}

at::Tensor affine_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       double eps) {
  return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, weight.to(at::kFloat), bias.to(at::kFloat),
                        eps)
      .to(x.scalar_type());
}

at::Tensor rms_rope(const at::Tensor& x, const at::Tensor& weight, std::int64_t heads,
                    const WanRope* rope, double eps) {
  const auto f = x.to(at::kFloat);
  const auto normed = (f * at::rsqrt(f.square().mean(-1, true) + eps)).to(x.scalar_type()) * weight;
  const auto split = split_heads(normed, heads);  // [B, heads, L, head_dim]
  if (rope == nullptr) return split;
  const auto pairs = split.to(at::kFloat).unflatten(-1, {-1, 2});
  const auto even = pairs.select(-1, 0);  // [B, heads, L, head_dim / 2]
  const auto odd = pairs.select(-1, 1);
  const auto turned =
      at::stack({even * rope->cos - odd * rope->sin, even * rope->sin + odd * rope->cos}, -1);
  return turned.flatten(-2).to(x.scalar_type());
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return at::scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2);
}

at::Tensor split_heads(const at::Tensor& x, std::int64_t heads) {
  return x.unflatten(-1, {heads, -1}).transpose(1, 2);
}

}  // namespace svi::wan
