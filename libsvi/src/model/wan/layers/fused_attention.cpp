#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "model/wan/kernels/kernels.hpp"
#include "model/wan/layers/fused.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::wan::fused {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kRowGrain = 64;

// Rotary tables of a token sequence, or none.
struct Turn {
  const float* cos = nullptr;
  const float* sin = nullptr;
  std::int64_t length = 1;  // tokens per sample

  const float* cos_of(std::int64_t row, std::int64_t half) const {
    return cos == nullptr ? nullptr : cos + row % length * half;
  }
  const float* sin_of(std::int64_t row, std::int64_t half) const {
    return sin == nullptr ? nullptr : sin + row % length * half;
  }
};

Turn turn_of(const at::Tensor& cos, const at::Tensor& sin) {
  if (!cos.defined()) return {};
  return {cos.const_data_ptr<float>(), sin.const_data_ptr<float>(), cos.size(0)};
}

// Columns first .. first + D of a contiguous [B, L, width] tensor, row by row.
struct Columns {
  const float* data;
  std::int64_t width;
  const float* row(std::int64_t i) const { return data + i * width; }
};

Columns columns(const at::Tensor& x, std::int64_t first) {
  return {x.const_data_ptr<float>() + first, x.size(2)};
}

// RMSNorm and rotation of one of q, k; returns [B, L, D] and writes 1 / rms of each row.
at::Tensor rms_rope(const at::Tensor& x, std::int64_t first, std::int64_t D,
                    const at::Tensor& weight, const Turn& turn, std::int64_t heads, double eps,
                    at::Tensor& inverse) {
  const auto rows = x.size(0) * x.size(1);
  const auto out = at::empty({x.size(0), x.size(1), D}, x.options());
  inverse = at::empty({rows}, x.options());
  const auto from = columns(x, first);
  const auto* gain = weight.const_data_ptr<float>();
  auto* to = out.mutable_data_ptr<float>();
  auto* inverses = inverse.mutable_data_ptr<float>();
  const auto head_dim = D / heads;
  parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      inverses[i] = rms_rope_row(from.row(i), gain, turn.cos_of(i, head_dim / 2),
                                 turn.sin_of(i, head_dim / 2), heads, head_dim,
                                 static_cast<float>(eps), to + i * D);
    }
  });
  return out;
}

// Its backward: writes the gradient into columns first .. first + D of g_x; returns that of the
// weight.
at::Tensor rms_rope_backward(const at::Tensor& g, const at::Tensor& x, std::int64_t first,
                             const at::Tensor& weight, const Turn& turn, std::int64_t heads,
                             const at::Tensor& inverse, const at::Tensor& g_x, bool wants_weight) {
  const auto rows = x.size(0) * x.size(1), D = weight.size(0), head_dim = D / heads;
  const auto g_weight = wants_weight ? at::zeros_like(weight) : at::Tensor();
  auto* g_gain = wants_weight ? g_weight.mutable_data_ptr<float>() : nullptr;
  const auto from = columns(x, first);
  const auto* given = g.const_data_ptr<float>();
  const auto* gain = weight.const_data_ptr<float>();
  const auto* inverses = inverse.const_data_ptr<float>();
  auto* to = g_x.mutable_data_ptr<float>() + first;
  const auto width = g_x.size(2);
  // A sum over all rows has one owner: serial where the weight's gradient is wanted.
  const auto grain = wants_weight ? rows : kRowGrain;
  parallel_for(0, rows, grain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(D));
    for (auto i = begin; i < end; ++i) {
      rms_rope_row_backward(given + i * D, from.row(i), gain, turn.cos_of(i, head_dim / 2),
                            turn.sin_of(i, head_dim / 2), heads, head_dim, inverses[i],
                            scratch.data(), to + i * width, g_gain);
    }
  });
  return g_weight;
}

// [B, L, D] -> [B, heads, L, head_dim], a view.
at::Tensor heads_of(const at::Tensor& x, std::int64_t heads) {
  return x.unflatten(2, {heads, -1}).transpose(1, 2);
}

// [B, heads, L, head_dim] -> contiguous [B, L, D].
at::Tensor tokens_of(const at::Tensor& x) { return x.transpose(1, 2).contiguous().flatten(2); }

// Inputs: queries [B, L, D] or all of qkv [B, L, 3 D]; kv [B, M, 2 D] or none; norm_q; norm_k.
struct Attention : torch::autograd::Function<Attention> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x,
                            const std::optional<at::Tensor>& context, const at::Tensor& norm_q,
                            const at::Tensor& norm_k, const WanRope* rope, std::int64_t heads,
                            double eps) {
    const auto cos = rope == nullptr ? at::Tensor() : rope->cos;
    const auto sin = rope == nullptr ? at::Tensor() : rope->sin;
    const auto D = norm_q.size(0);
    const auto kv = context.value_or(x);
    const auto first_k = context ? 0 : D;
    const auto turn = turn_of(cos, sin);
    at::Tensor inverse_q, inverse_k;
    const auto q = rms_rope(x, 0, D, norm_q, turn, heads, eps, inverse_q);
    const auto k = rms_rope(kv, first_k, D, norm_k, turn, heads, eps, inverse_k);
    const auto v = kv.narrow(2, first_k + D, D);
    const auto [out, log_sum] = at::_scaled_dot_product_flash_attention_for_cpu(
        heads_of(q, heads), heads_of(k, heads), heads_of(v, heads));
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["self"] = !context.has_value();
    ctx->save_for_backward(
        {x, kv, norm_q, norm_k, cos, sin, q, k, inverse_q, inverse_k, out, log_sum});
    return tokens_of(out);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &kv = saved[1], &norm_q = saved[2], &norm_k = saved[3];
    const auto &q = saved[6], &k = saved[7];
    const auto heads = ctx->saved_data["heads"].toInt();
    const bool self = ctx->saved_data["self"].toBool();
    const auto D = norm_q.size(0), first_k = self ? D : 0;
    const auto v = kv.narrow(2, first_k + D, D);
    const auto [g_q, g_k, g_v] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        heads_of(grads[0], heads), heads_of(q, heads), heads_of(k, heads), heads_of(v, heads),
        saved[10], saved[11], 0.0, false);
    const auto turn = turn_of(saved[4], saved[5]);
    const auto g_x = at::empty_like(x);
    const auto g_kv = self ? g_x : at::empty_like(kv);
    const std::size_t norm_at = self ? 1 : 2;
    const auto g_norm_q = rms_rope_backward(tokens_of(g_q), x, 0, norm_q, turn, heads, saved[8],
                                            g_x, ctx->needs_input_grad(norm_at));
    const auto g_norm_k = rms_rope_backward(tokens_of(g_k), kv, first_k, norm_k, turn, heads,
                                            saved[9], g_kv, ctx->needs_input_grad(norm_at + 1));
    g_kv.narrow(2, first_k + D, D).copy_(g_v.transpose(1, 2).flatten(2));
    return {g_x, self ? at::Tensor() : g_kv, g_norm_q, g_norm_k, {}, {}, {}};
  }
};

}  // namespace

at::Tensor self_attention(const at::Tensor& qkv, const at::Tensor& norm_q, const at::Tensor& norm_k,
                          const WanRope& rope, std::int64_t heads, double eps) {
  return Attention::apply(qkv, std::optional<at::Tensor>(), norm_q, norm_k, &rope, heads, eps);
}

at::Tensor cross_attention(const at::Tensor& q, const at::Tensor& kv, const at::Tensor& norm_q,
                           const at::Tensor& norm_k, std::int64_t heads, double eps) {
  return Attention::apply(q, std::optional<at::Tensor>(kv), norm_q, norm_k,
                          static_cast<const WanRope*>(nullptr), heads, eps);
}

}  // namespace svi::wan::fused
