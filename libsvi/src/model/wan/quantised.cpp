#include "model/wan/quantised.hpp"

#include <ATen/ATen.h>

namespace svi::wan {

Quantised quantised(const at::Tensor& weight, std::int64_t group) {
  const auto width = weight.size(1);
  if (group <= 0 || width % group != 0) group = width;
  const auto grouped = weight.to(at::kFloat).unflatten(1, {width / group, group});
  const auto scale = at::amax(grouped.abs(), -1) / 127;  // [out, groups]
  const auto divisor = at::where(scale > 0, scale, at::ones({}, scale.options()));
  const auto values = (grouped / divisor.unsqueeze(-1)).round_().clamp_(-127, 127);
  return {values.to(at::kChar).flatten(1), scale};
}

at::Tensor dequantised(const at::Tensor& values, const at::Tensor& scale, at::ScalarType dtype) {
  auto weight = at::empty(values.sizes(), values.options().dtype(dtype));
  const std::vector<std::int64_t> split{scale.size(1), values.size(1) / scale.size(1)};
  auto grouped = weight.unflatten(1, split);
  at::mul_out(grouped, values.unflatten(1, split), scale.unsqueeze(-1));
  return weight;
}

}  // namespace svi::wan
