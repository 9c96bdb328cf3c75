#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "model/wan/kernels/kernels.hpp"
#include "model/wan/layers/fused.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::wan::fused {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Maybe = std::optional<at::Tensor>;

constexpr std::int64_t kNormGrain = 64;
constexpr std::int64_t kGeluGrain = 1 << 15;

// A gradient of `table` summed over the tokens it modulates: zeros of its sizes, but with a row per
// sample where all samples share one, or undefined where unwanted.
at::Tensor sums(bool wanted, const at::Tensor& table, std::int64_t B) {
  if (!wanted) return {};
  auto sizes = table.sizes().vec();
  if (sizes.size() == 1) sizes.insert(sizes.begin(), B);
  return at::zeros(sizes, table.options());
}

at::Tensor like(const at::Tensor& sum_per_sample, const at::Tensor& table) {
  return !sum_per_sample.defined() || table.dim() > 1 ? sum_per_sample : sum_per_sample.sum(0);
}

// Inputs: x, y, gate, mul, add. Outputs: sum, h (h alone where there is no y).
struct AddNorm : torch::autograd::Function<AddNorm> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const Maybe& y,
                               const Maybe& gate, const at::Tensor& mul, const at::Tensor& add,
                               double one, const FrameOfToken& frames, double eps) {
    const auto B = x.size(0), L = x.size(1), D = x.size(2);
    const auto sum = y ? at::empty_like(x) : x;
    const auto h = at::empty_like(x);
    const auto moments = at::empty({2, B * L}, x.options());
    const ModulationRows gates(gate.value_or(at::Tensor()), L, frames), muls(mul, L, frames),
        adds(add, L, frames);
    auto* mean = moments.mutable_data_ptr<float>();
    auto* rstd = mean + B * L;
    const auto* x_data = x.const_data_ptr<float>();
    const auto* y_data = y ? y->const_data_ptr<float>() : nullptr;
    auto* sum_data = y ? sum.mutable_data_ptr<float>() : nullptr;
    auto* h_data = h.mutable_data_ptr<float>();
    parallel_for(0, B * L, kNormGrain, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) {
        const AddNormRow row{.x = x_data + i * D,
                             .y = y_data == nullptr ? nullptr : y_data + i * D,
                             .gate = gates.of(i),
                             .mul = muls.of(i),
                             .add = adds.of(i),
                             .offset = static_cast<float>(one),
                             .sum = sum_data == nullptr ? nullptr : sum_data + i * D,
                             .h = h_data + i * D};
        add_norm_row(row, D, static_cast<float>(eps), mean + i, rstd + i);
      }
    });
    ctx->saved_data["one"] = one;
    ctx->saved_data["frame_tokens"] = frames.tokens;
    if (frames.row.defined()) ctx->saved_data["frame_row"] = frames.row;
    ctx->set_materialize_grads(false);
    // y is only read for the gradient of its gate.
    const bool keep_y = y && gate && gate->requires_grad();
    ctx->save_for_backward(
        {sum, keep_y ? *y : at::Tensor(), gate.value_or(at::Tensor()), mul, moments});
    return y ? variable_list{sum, h} : variable_list{h};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &sum = saved[0], &y = saved[1], &gate = saved[2], &mul = saved[3];
    const bool has_y = grads.size() == 2;
    const auto g_sum = has_y && grads[0].defined() ? grads[0].contiguous() : at::Tensor();
    const auto B = sum.size(0), L = sum.size(1), D = sum.size(2);
    const auto g_h = grads.back().defined() ? grads.back().contiguous() : at::zeros_like(sum);
    const auto g_x = at::empty_like(sum);
    const bool wants_y = has_y && ctx->needs_input_grad(1);
    const auto g_y = wants_y && gate.defined() ? at::empty_like(sum) : at::Tensor();
    // Inputs without a tensor have no number in needs_input_grad: count those that have.
    const std::size_t gate_at = 2, mul_at = 1 + has_y + gate.defined();
    const bool wants_gate = gate.defined() && ctx->needs_input_grad(gate_at);
    const bool wants_gain = ctx->needs_input_grad(mul_at) || ctx->needs_input_grad(mul_at + 1);
    const auto g_gate = sums(wants_gate, gate, B);
    const auto g_mul = sums(wants_gain, mul, B);
    const auto g_add = sums(wants_gain, mul, B);
    const auto row_of = ctx->saved_data.find("frame_row");
    const FrameOfToken frames{
        .tokens = ctx->saved_data["frame_tokens"].toInt(),
        .row = row_of == ctx->saved_data.end() ? at::Tensor() : row_of->second.toTensor()};
    const ModulationRows gates(gate, L, frames), muls(mul, L, frames);
    const ModulationRows g_gates(g_gate, L, frames), g_muls(g_mul, L, frames),
        g_adds(g_add, L, frames);
    const auto writable = [](const float* row) { return const_cast<float*>(row); };
    const auto* mean = saved[4].const_data_ptr<float>();
    const auto* rstd = mean + B * L;
    const auto one = static_cast<float>(ctx->saved_data["one"].toDouble());
    const auto at_row = [D](const at::Tensor& t, std::int64_t i) {
      return t.defined() ? t.const_data_ptr<float>() + i * D : nullptr;
    };
    const auto into_row = [D](const at::Tensor& t, std::int64_t i) {
      return t.defined() ? t.mutable_data_ptr<float>() + i * D : nullptr;
    };
    parallel_for(0, B, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto b = begin; b < end; ++b) {
        for (auto i = b * L; i < (b + 1) * L; ++i) {
          const AddNormRowGrad row{.sum = at_row(sum, i),
                                   .y = at_row(y, i),
                                   .gate = gates.of(i),
                                   .mul = muls.of(i),
                                   .offset = one,
                                   .g_sum = at_row(g_sum, i),
                                   .g_h = at_row(g_h, i),
                                   .g_x = into_row(g_x, i),
                                   .g_y = into_row(g_y, i),
                                   .g_gate = writable(g_gates.of(i)),
                                   .g_mul = writable(g_muls.of(i)),
                                   .g_add = writable(g_adds.of(i))};
          add_norm_row_backward(row, D, mean[i], rstd[i]);
        }
      }
    });
    const auto g_first = wants_y && !gate.defined() ? g_x : g_y;
    return {g_x, g_first, g_gate, like(g_mul, mul), like(g_add, mul), {}, {}, {}};
  }
};

struct Gelu : torch::autograd::Function<Gelu> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x) {
    const auto out = at::empty_like(x);
    const auto* from = x.const_data_ptr<float>();
    auto* to = out.mutable_data_ptr<float>();
    parallel_for(0, x.numel(), kGeluGrain, [&](std::int64_t begin, std::int64_t end) {
      wan::gelu(from + begin, end - begin, to + begin);
    });
    ctx->save_for_backward({x});
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const auto x = ctx->get_saved_variables()[0];
    const auto g = grads[0].contiguous();
    const auto g_x = at::empty_like(x);
    const auto* given = g.const_data_ptr<float>();
    const auto* from = x.const_data_ptr<float>();
    auto* to = g_x.mutable_data_ptr<float>();
    parallel_for(0, x.numel(), kGeluGrain, [&](std::int64_t begin, std::int64_t end) {
      wan::gelu_backward(given + begin, from + begin, end - begin, to + begin);
    });
    return {g_x};
  }
};

}  // namespace

std::pair<at::Tensor, at::Tensor> add_norm(const at::Tensor& x, const at::Tensor& y,
                                           const at::Tensor& gate, const Gain& gain,
                                           const FrameOfToken& frames, double eps) {
  const auto out = AddNorm::apply(x, Maybe(y), gate.defined() ? Maybe(gate) : Maybe(), gain.mul,
                                  gain.add, gain.one, frames, eps);
  return {out[0], out[1]};
}

at::Tensor norm(const at::Tensor& x, const Gain& gain, const FrameOfToken& frames, double eps) {
  return AddNorm::apply(x, Maybe(), Maybe(), gain.mul, gain.add, gain.one, frames, eps)[0];
}

at::Tensor gelu(const at::Tensor& x) { return Gelu::apply(x); }

}  // namespace svi::wan::fused
