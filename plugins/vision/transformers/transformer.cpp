#include "vision/transformers/transformer.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi::vision {
namespace {

/// Width of the hidden layer, told by the file.
std::int64_t hidden_width(const Weights& weights, const std::string& fc1) {
  return weights.size(fc1 + ".weight", 0);
}

}  // namespace

at::Tensor Block::operator()(const at::Tensor& x, bool causal) const {
  const auto B = x.size(0), N = x.size(1), W = x.size(2);
  const auto parts = qkv(norm1(x)).view({B, N, 3, heads, W / heads}).permute({2, 0, 3, 1, 4});
  auto seen = at::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0.0, causal);
  seen = out(seen.transpose(1, 2).reshape({B, N, W}));
  auto y = x + (gamma1.defined() ? seen * gamma1 : seen);
  auto hidden = fc1(norm2(y));
  hidden = gelu == Gelu::exact ? at::gelu(hidden) : hidden * at::sigmoid(hidden * 1.702);
  const auto made = fc2(hidden);
  return y + (gamma2.defined() ? made * gamma2 : made);
}

Block timm_block(Weights& weights, const std::string& name, std::int64_t width, std::int64_t heads,
                 double epsilon, Gelu gelu) {
  const auto hidden = hidden_width(weights, name + ".mlp.fc1");
  Block block;
  block.norm1 = LayerNorm(weights, name + ".norm1", width, epsilon);
  block.norm2 = LayerNorm(weights, name + ".norm2", width, epsilon);
  block.qkv = Linear(weights, name + ".attn.qkv", width, 3 * width);
  block.out = Linear(weights, name + ".attn.proj", width, width);
  block.fc1 = Linear(weights, name + ".mlp.fc1", width, hidden);
  block.fc2 = Linear(weights, name + ".mlp.fc2", hidden, width);
  if (weights.has(name + ".ls1.gamma")) {
    block.gamma1 = weights.take(name + ".ls1.gamma", {width});
    block.gamma2 = weights.take(name + ".ls2.gamma", {width});
  }
  block.heads = heads;
  block.gelu = gelu;
  return block;
}

Block clip_block(Weights& weights, const std::string& name, std::int64_t width, Gelu gelu) {
  const auto hidden = hidden_width(weights, name + ".mlp.c_fc");
  Block block;
  block.norm1 = LayerNorm(weights, name + ".ln_1", width, 1e-5);
  block.norm2 = LayerNorm(weights, name + ".ln_2", width, 1e-5);
  block.qkv.weight = weights.take(name + ".attn.in_proj_weight", {3 * width, width});
  block.qkv.bias = weights.take(name + ".attn.in_proj_bias", {3 * width});
  block.out = Linear(weights, name + ".attn.out_proj", width, width);
  block.fc1 = Linear(weights, name + ".mlp.c_fc", width, hidden);
  block.fc2 = Linear(weights, name + ".mlp.c_proj", hidden, width);
  block.heads = width / 64;
  block.gelu = gelu;
  return block;
}

}  // namespace svi::vision
