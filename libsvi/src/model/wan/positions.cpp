#include "svi/model/wan/positions.hpp"

#include <ATen/ATen.h>

#include <vector>

namespace svi {
namespace {

constexpr double kTheta = 10000.0;

// One position axis: the angle of position p and channel pair j is p theta^(-2j / width).
at::Tensor angles(std::int64_t positions, std::int64_t width) {
  const auto exponent = at::arange(0, width, 2, at::kDouble) / static_cast<double>(width);
  return at::outer(at::arange(positions, at::kDouble), at::pow(kTheta, -exponent));
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

}  // namespace svi
