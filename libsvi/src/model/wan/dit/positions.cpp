#include "svi/model/wan/positions.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr double kTheta = 10000.0;

// One position axis: the angle of position p and channel pair j is p theta^(-2j / width).
at::Tensor angles(const at::Tensor& positions, std::int64_t width) {
  const auto exponent = at::arange(0, width, 2, at::kDouble) / static_cast<double>(width);
  return at::outer(positions, at::pow(kTheta, -exponent));
}

at::Tensor angles(std::int64_t positions, std::int64_t width) {
  return angles(at::arange(positions, at::kDouble), width);
}

}  // namespace

at::Tensor wan_sinusoid(const at::Tensor& timestep, std::int64_t width) {
  const auto half = width / 2;
  const auto steps = at::arange(half, timestep.options().dtype(at::kDouble));
  const auto frequency = at::pow(kTheta, -steps / static_cast<double>(half));
  const auto angle = at::outer(timestep.to(at::kDouble), frequency);  // [B, half]
  return at::cat({at::cos(angle), at::sin(angle)}, 1);
}

std::pair<at::Tensor, at::Tensor> wan_rope(std::int64_t head_dim, std::int64_t frames,
                                           std::int64_t rows, std::int64_t columns) {
  const auto space = 2 * (head_dim / 6);
  const auto time = head_dim - 2 * space;
  const auto over_grid = [&](const at::Tensor& axis, at::IntArrayRef view) {
    return axis.view(view).expand({frames, rows, columns, axis.size(1)});
  };
  const auto t = angles(frames, time), y = angles(rows, space), x = angles(columns, space);
  const auto angle =
      at::cat({over_grid(t, {frames, 1, 1, t.size(1)}), over_grid(y, {1, rows, 1, y.size(1)}),
               over_grid(x, {1, 1, columns, x.size(1)})},
              -1)
          .reshape({frames * rows * columns, head_dim / 2});
  return {at::cos(angle).to(at::kFloat), at::sin(angle).to(at::kFloat)};
}

std::pair<at::Tensor, at::Tensor> wan_rope(std::int64_t head_dim, const at::Tensor& positions) {
  SVI_CHECK((positions.dim() == 2 || positions.dim() == 3) && positions.size(0) == 3,
            "positions are [3, L] or [3, L, n], got ", positions.sizes());
  const auto space = 2 * (head_dim / 6);
  const auto L = positions.size(1), n = positions.dim() == 3 ? positions.size(2) : 1;
  const auto place = positions.to(at::kCPU, at::kDouble).reshape({3, L * n});
  const auto angle = at::cat(
      {angles(place[0], head_dim - 2 * space), angles(place[1], space), angles(place[2], space)},
      1);                                         // [L n, head_dim / 2]
  const auto pooled = [&](const at::Tensor& x) {  // the mean over the n positions of a token
    return (n == 1 ? x : x.view({L, n, -1}).mean(1)).to(at::kFloat);
  };
  return {pooled(at::cos(angle)), pooled(at::sin(angle))};
}

at::Tensor wan_positions(std::int64_t frames, std::int64_t rows, std::int64_t columns,
                         const std::array<double, 3>& first, const std::array<double, 3>& step) {
  const std::array<std::int64_t, 3> counts = {frames, rows, columns};
  std::vector<at::Tensor> axes;
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<std::int64_t> view(3, 1);
    view[i] = counts[i];
    const auto centre = (at::arange(counts[i], at::kDouble) + 0.5) * step[i] - 0.5 + first[i];
    axes.push_back(centre.view(view).expand({frames, rows, columns}).reshape({-1}));
  }
  return at::stack(axes);
}

}  // namespace svi
