#include "speech/windows.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "svi/core/check.hpp"

namespace svi::speech {

at::Tensor centred_windows(const at::Tensor& rows, std::int64_t window) {
  SVI_CHECK(rows.dim() >= 1 && rows.size(0) >= 1 && window >= 1 && window % 2 == 1, "windows of ",
            window, " rows around each of ", rows.sizes());
  const auto half = window / 2;
  auto sizes = rows.sizes().vec();
  sizes[0] = half;
  const auto padded = at::cat({rows.narrow(0, 0, 1).expand(sizes), rows,
                               rows.narrow(0, rows.size(0) - 1, 1).expand(sizes)});
  return padded.unfold(0, window, 1).movedim(-1, 1);
}

LatentWindows latent_windows(const at::Tensor& windows, std::int64_t stride) {
  const auto T = windows.size(1), window = windows.size(2), half = window / 2;
  SVI_CHECK((T - 1) % stride == 0, T, " pixel frames for latent frames of ", stride);
  const auto first = windows.narrow(1, 0, 1);  // [B, 1, window, ...]
  if (T == 1) return {first, {}};
  auto sizes = windows.sizes().vec();
  sizes[1] = (T - 1) / stride;
  sizes.insert(sizes.begin() + 2, stride);
  const auto groups = windows.narrow(1, 1, T - 1).reshape(sizes);  // [B, F - 1, stride, window, ..]
  const auto last = groups.select(2, stride - 1);
  if (stride == 1) return {first, last};
  std::vector<at::Tensor> parts = {groups.select(2, 0).narrow(2, 0, half + 1)};
  if (stride > 2) parts.push_back(groups.narrow(2, 1, stride - 2).select(3, half));
  parts.push_back(last.narrow(2, half, half + 1));
  return {first, at::cat(parts, 2)};
}

}  // namespace svi::speech
