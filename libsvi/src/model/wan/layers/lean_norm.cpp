#include <ATen/ATen.h>

#include "model/wan/kernels/numbers.hpp"
#include "model/wan/kernels/row_kernels.hpp"
#include "model/wan/layers/lean.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::wan::lean {
namespace {

constexpr std::int64_t kNormGrain = 64;

template <class T>
void run(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate, const fused::Gain& gain,
         const FrameOfToken& frames, double eps, std::int64_t first, std::int64_t n,
         const at::Tensor& h) {
  const auto L = x.size(1), D = x.size(2);
  const ModulationRows gates(gate, L, frames), muls(gain.mul, L, frames), adds(gain.add, L, frames);
  auto* x_data = x.mutable_data_ptr<float>();
  const auto* y_data = y.defined() ? numbers<T>(y) : nullptr;
  auto* h_data = mutable_numbers<T>(h);
  parallel_for(0, n, kNormGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto row = first + i;
      residual_norm_row(ResidualRow<T>{.x = x_data + row * D,
                                       .y = y_data == nullptr ? nullptr : y_data + i * D,
                                       .gate = gates.of(row),
                                       .mul = muls.of(row),
                                       .add = adds.of(row),
                                       .offset = static_cast<float>(gain.one),
                                       .h = h_data + row * D},
                        D, static_cast<float>(eps));
    }
  });
}

}  // namespace

void residual_norm(const at::Tensor& x, const at::Tensor& y, const at::Tensor& gate,
                   const fused::Gain& gain, const FrameOfToken& frames, double eps,
                   std::int64_t first, std::int64_t n, const at::Tensor& h) {
  if (h.scalar_type() == at::kFloat) {
    run<float>(x, y, gate, gain, frames, eps, first, n, h);
  } else {
    run<Bf16Bits>(x, y, gate, gain, frames, eps, first, n, h);
  }
}

}  // namespace svi::wan::lean
