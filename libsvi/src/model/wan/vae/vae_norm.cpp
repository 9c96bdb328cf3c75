#include "model/wan/vae/vae_norm.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "svi/tensor/instruction_set.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::wan {
namespace {

#define SVI_KERNEL_FILE "model/wan/vae/vae_norm_elements.inc"
#define SVI_KERNEL_ROWS_AVX512 1
namespace norm_sets {  // files are compiled together: each has sets of its own
#include "model/wan/kernels/instruction_sets.inc"
}  // namespace norm_sets
#undef SVI_KERNEL_FILE
#undef SVI_KERNEL_ROWS_AVX512

struct NormKernel {
  void (*forward)(const void*, const float*, void*, long, long);
  void (*backward)(const void*, const float*, const void*, void*, float*, float*, long, long);
};

NormKernel kernel_for([[maybe_unused]] std::int64_t channels, bool half) {
#ifdef SVI_WIDE_KERNELS
  const auto set = instruction_set();
  if (channels % 16 == 0 && set == InstructionSet::avx512) {
    return half ? NormKernel{norm_sets::avx512::bf16::forward, norm_sets::avx512::bf16::backward}
                : NormKernel{norm_sets::avx512::fp32::forward, norm_sets::avx512::fp32::backward};
  }
  if (channels % 8 == 0 && set != InstructionSet::baseline) {
    return half ? NormKernel{norm_sets::avx2::bf16::forward, norm_sets::avx2::bf16::backward}
                : NormKernel{norm_sets::avx2::fp32::forward, norm_sets::avx2::fp32::backward};
  }
#endif
  return half ? NormKernel{norm_sets::baseline::bf16::forward, norm_sets::baseline::bf16::backward}
              : NormKernel{norm_sets::baseline::fp32::forward, norm_sets::baseline::fp32::backward};
}

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Voxels per piece of work: fixed, so that sums do not depend on the number of threads.
constexpr std::int64_t kPiece = 8192;

/// Runs `body(batch, first voxel, count, piece)` over pieces that never cross a sample.
template <class Body>
void over_pieces(std::int64_t batch, std::int64_t voxels, const Body& body) {
  const auto per_sample = (voxels + kPiece - 1) / kPiece;
  parallel_for(0, batch * per_sample, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto piece = begin; piece < end; ++piece) {
      const auto first = piece % per_sample * kPiece;
      body(piece / per_sample, first, std::min(kPiece, voxels - first), piece);
    }
  });
}

class NormSiluPad : public torch::autograd::Function<NormSiluPad> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& input,
                            const at::Tensor& gamma, std::int64_t front) {
    const auto x = input.contiguous(at::MemoryFormat::ChannelsLast3d);
    const auto B = x.size(0), C = x.size(1), T = x.size(2), area = x.size(3) * x.size(4);
    auto y = at::empty({B, C, front + T, x.size(3), x.size(4)},
                       x.options().memory_format(at::MemoryFormat::ChannelsLast3d));
    if (front > 0) y.narrow(2, 0, front).zero_();
    const auto* in = static_cast<const char*>(x.const_data_ptr());
    const auto flat = gamma.contiguous();
    const auto* scale = flat.const_data_ptr<float>();
    auto* out = static_cast<char*>(y.mutable_data_ptr());
    const auto voxel = C * x.element_size();  // bytes
    const auto kernel = kernel_for(C, x.scalar_type() == at::kBFloat16);
    over_pieces(
        B, T * area, [&](std::int64_t b, std::int64_t first, std::int64_t count, std::int64_t) {
          kernel.forward(in + (b * T * area + first) * voxel, scale,
                         out + ((b * (front + T) + front) * area + first) * voxel, count, C);
        });
    context->save_for_backward({x, gamma});
    context->saved_data["front"] = front;
    return y;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto front = context->saved_data["front"].toInt();
    const auto& x = saved[0];
    const auto gamma = saved[1].contiguous();
    const auto grad = grads[0].contiguous(at::MemoryFormat::ChannelsLast3d);
    const auto B = x.size(0), C = x.size(1), T = x.size(2), area = x.size(3) * x.size(4);
    auto grad_x = at::empty_like(x, x.options().memory_format(at::MemoryFormat::ChannelsLast3d));
    const auto pieces = B * ((T * area + kPiece - 1) / kPiece);
    auto partial = at::zeros({pieces, C}, gamma.options());  // [piece, C]
    const auto* in = static_cast<const char*>(x.const_data_ptr());
    const auto* scale = gamma.const_data_ptr<float>();
    const auto* up = static_cast<const char*>(grad.const_data_ptr());
    auto* out = static_cast<char*>(grad_x.mutable_data_ptr());
    auto* sums = partial.mutable_data_ptr<float>();
    const auto voxel = C * x.element_size();  // bytes
    const auto kernel = kernel_for(C, x.scalar_type() == at::kBFloat16);
    over_pieces(B, T * area,
                [&](std::int64_t b, std::int64_t first, std::int64_t count, std::int64_t piece) {
                  const auto at = (b * T * area + first) * voxel;
                  std::vector<float> scratch(static_cast<std::size_t>(C));
                  kernel.backward(in + at, scale,
                                  up + ((b * (front + T) + front) * area + first) * voxel, out + at,
                                  sums + piece * C, scratch.data(), count, C);
                });
    return {grad_x, partial.sum(0).view_as(gamma), at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gamma) {
  const auto norm = at::norm(x, 2, {1}, true).clamp_min(1e-12);
  return x / norm * std::sqrt(static_cast<double>(x.size(1))) * gamma.to(x.scalar_type());
}

void norm_silu(const at::Tensor& x, const at::Tensor& gamma, at::Tensor& out) {
  const auto C = x.size(3);
  const auto flat = gamma.contiguous();
  const auto* in = x.const_data_ptr<float>();
  const auto* scale = flat.const_data_ptr<float>();
  auto* to = out.mutable_data_ptr<float>();
  const auto kernel = kernel_for(C, false);
  over_pieces(1, x.numel() / C,
              [&](std::int64_t, std::int64_t first, std::int64_t count, std::int64_t) {
                kernel.forward(in + first * C, scale, to + first * C, count, C);
              });
}

at::Tensor norm_silu_pad(const at::Tensor& x, const at::Tensor& gamma, std::int64_t front) {
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  if (x.is_cpu() && known && x.size(1) % 4 == 0)
    return NormSiluPad::apply(x, gamma.to(at::kFloat), front);
  const auto y = at::silu(rms_norm(x, gamma));
  return front > 0 ? at::constant_pad_nd(y, {0, 0, 0, 0, front, 0}) : y;
}

}  // namespace svi::wan

#undef SVI_WIDE_KERNELS
