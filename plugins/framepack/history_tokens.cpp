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

/// Middles of blocks of `rate` among `count` whole ones.
at::Tensor middles(std::int64_t count, std::int64_t rate, const at::TensorOptions& options) {
  return at::arange(count, options) * rate + 0.5 * static_cast<double>(rate - 1);
}

}  // namespace

svi::TokenGroup history_tokens(const at::Tensor& latent, const at::Tensor& indices,
                               std::int64_t rate, const std::vector<std::int64_t>& patch,
                               const std::function<at::Tensor(const at::Tensor&)>& embed) {
  SVI_CHECK(patch.size() == 3 && patch[0] == 1, "history tokens need patches of one latent frame");
  auto x = padded(padded(padded(latent, 2, rate), 3, rate * patch[1]), 4, rate * patch[2]);
  const auto frames = padded(indices.to(at::kDouble), 0, rate).view({-1, rate}).mean(1);  // [f']
  if (rate > 1) x = at::avg_pool3d(x, {rate, rate, rate});
  const auto rows = middles(x.size(3) / patch[1], rate, frames.options());
  const auto columns = middles(x.size(4) / patch[2], rate, frames.options());
  const auto places = at::meshgrid({frames, rows, columns}, "ij");
  return {.tokens = embed(x),
          .positions = at::stack({places[0].flatten(), places[1].flatten(), places[2].flatten()})};
}

}  // namespace framepack
