#include <ATen/ATen.h>

#include <svi/core/check.hpp>

#include "history.hpp"

namespace framepack {
namespace {

/// Copies of the last entry until dimension `dim` is a multiple of `size`.
at::Tensor padded(const at::Tensor& x, std::int64_t dim, std::int64_t size) {
  const auto missing = (size - x.size(dim) % size) % size;
  if (missing == 0) return x;
  auto sizes = x.sizes().vec();
  sizes[static_cast<std::size_t>(dim)] = missing;
  return at::cat({x, x.narrow(dim, x.size(dim) - 1, 1).expand(sizes)}, dim);
}

/// Positions 0, 1, ... of an axis of so many blocks: [blocks, rate]; `size` lie in the latent, and
/// the last of them stands for those beyond it.
at::Tensor block_positions(std::int64_t blocks, std::int64_t size, std::int64_t rate,
                           const at::TensorOptions& options) {
  return at::arange(blocks * rate, options).clamp_max(size - 1).view({blocks, rate});
}

}  // namespace

svi::TokenGroup history_tokens(const at::Tensor& latent, const at::Tensor& indices,
                               std::int64_t rate, const std::vector<std::int64_t>& patch,
                               const std::function<at::Tensor(const at::Tensor&)>& embed) {
  SVI_CHECK(patch.size() == 3 && patch[0] == 1, "history tokens need patches of one latent frame");
  auto x = padded(padded(padded(latent, 2, rate), 3, rate * patch[1]), 4, rate * patch[2]);
  const auto frames = padded(indices.to(at::kDouble), 0, rate).view({-1, rate});  // [f', r]
  if (rate > 1) x = at::avg_pool3d(x, {rate, rate, rate});
  const auto f = x.size(2), h = x.size(3) / patch[1], w = x.size(4) / patch[2];
  const auto options = frames.options();
  const auto rows = block_positions(h, latent.size(3) / patch[1], rate, options);
  const auto columns = block_positions(w, latent.size(4) / patch[2], rate, options);
  const auto over = [&](const at::Tensor& axis, at::IntArrayRef view) {  // [n, r] to [l, r]
    return axis.view(view).expand({f, h, w, rate}).reshape({f * h * w, rate});
  };
  return {.tokens = embed(x),
          .positions = at::stack({over(frames, {f, 1, 1, rate}), over(rows, {1, h, 1, rate}),
                                  over(columns, {1, 1, w, rate})})};
}

std::vector<double> history_indices(bool inverted, std::int64_t gap, std::int64_t section,
                                    std::int64_t beside) {
  std::vector<double> indices = {static_cast<double>(-gap - 1)};
  for (std::int64_t k = 0; k < beside; ++k)
    indices.push_back(static_cast<double>(inverted ? section + k : -1 - k));
  return indices;
}

std::int64_t told_gap(std::int64_t place, std::int64_t sections) {
  if (sections <= 4 || place <= 1) return place;
  return place == sections - 1 ? 3 : 2;
}

}  // namespace framepack
