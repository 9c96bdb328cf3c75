#include "model/wan/dit/quantised.hpp"

#include <ATen/ATen.h>

namespace svi::wan {

Quantised quantised(const at::Tensor& weight, std::int64_t group) {
  const auto width = weight.size(1);
  if (group <= 0 || width % group != 0) group = width;
  // What stays is allocated before what goes: fewer results take holes of the heap that the next
  // layer's temporaries need. Not none: see benchmarks/results/placement.json.
  Quantised made{at::empty(weight.sizes(), weight.options().dtype(at::kChar)),
                 at::empty({weight.size(0), width / group}, weight.options().dtype(at::kFloat))};
  const std::vector<std::int64_t> split{width / group, group};
  const auto grouped = weight.to(at::kFloat).unflatten(1, split);
  at::amax_out(made.scale, grouped.abs(), -1).div_(127);
  const auto divisor = at::where(made.scale > 0, made.scale, at::ones({}, made.scale.options()));
  made.values.unflatten(1, split).copy_(
      (grouped / divisor.unsqueeze(-1)).round_().clamp_(-127, 127));
  return made;
}

at::Tensor dequantised(const at::Tensor& values, const at::Tensor& scale, at::ScalarType dtype) {
  auto weight = at::empty(values.sizes(), values.options().dtype(dtype));
  const std::vector<std::int64_t> split{scale.size(1), values.size(1) / scale.size(1)};
  auto grouped = weight.unflatten(1, split);
  at::mul_out(grouped, values.unflatten(1, split), scale.unsqueeze(-1));
  return weight;
}

}  // namespace svi::wan
