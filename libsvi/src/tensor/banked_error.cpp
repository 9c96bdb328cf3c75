#include "svi/tensor/banked_error.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {

at::Tensor BankedError::at(ErrorEnd end) const {
  SVI_CHECK(residual.defined(), "an error without a residual has no value");
  const bool data = end == ErrorEnd::data;
  auto error = residual.to(at::kFloat) * (data ? data_gain : noise_gain);  // [C, F, h, w]
  const auto& offset = data ? data_offset : noise_offset;
  if (offset.defined()) error.add_(offset.to(at::kFloat));
  return error;
}

std::int64_t BankedError::bytes() const {
  std::int64_t total = 0;
  if (residual.defined()) total += static_cast<std::int64_t>(residual.nbytes());
  if (data_offset.defined()) total += static_cast<std::int64_t>(data_offset.nbytes());
  const bool shared = noise_offset.defined() && noise_offset.is_same(data_offset);
  if (noise_offset.defined() && !shared) total += static_cast<std::int64_t>(noise_offset.nbytes());
  return total;
}

}  // namespace svi
