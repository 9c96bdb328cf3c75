#include "svi/model/wan/vae_tiling.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

/// Weights along one side of a tile: 1 at the frame's edges, rising over `border` pixels elsewhere.
at::Tensor ramp(const TileSpan& span, std::int64_t size, std::int64_t border) {
  const auto length = span.end - span.begin;
  auto weight = at::ones({length}, at::kFloat);
  const auto width = std::min(border, length);
  if (width == 0) return weight;
  const auto rise =
      at::arange(1, width + 1, at::kFloat) / static_cast<double>(std::max<std::int64_t>(border, 1));
  if (span.begin > 0) weight.narrow(0, 0, width).mul_(rise);
  if (span.end < size) weight.narrow(0, length - width, width).mul_(rise.flip(0));
  return weight;
}

struct Plane {
  std::int64_t height, width;  // of the latent
  std::int64_t in, out;        // pixels of the input and the output per latent pixel
};

/// `run` maps a tile of the input to its part of the output.
template <class Run>
at::Tensor blend(const at::Tensor& input, const VaeTiling& tiling, const Plane& plane,
                 const Run& run) {
  const at::NoGradGuard guard;
  const auto rows = tile_spans(plane.height, tiling.tile_height, tiling.stride_height);
  const auto columns = tile_spans(plane.width, tiling.tile_width, tiling.stride_width);
  if (rows.size() == 1 && columns.size() == 1) return run(input).to(at::kCPU, at::kFloat);
  const auto scaled = [&](const TileSpan& span) {
    return TileSpan{span.begin * plane.out, span.end * plane.out};
  };
  at::Tensor sum;
  auto total = at::zeros({plane.height * plane.out, plane.width * plane.out}, at::kFloat);
  for (const auto& row : rows) {
    for (const auto& column : columns) {
      const auto part =
          run(input.narrow(3, row.begin * plane.in, (row.end - row.begin) * plane.in)
                  .narrow(4, column.begin * plane.in, (column.end - column.begin) * plane.in))
              .to(at::kCPU, at::kFloat);
      if (!sum.defined()) {
        sum = at::zeros({part.size(0), part.size(1), part.size(2), total.size(0), total.size(1)},
                        at::kFloat);
      }
      const auto y = scaled(row), x = scaled(column);
      const auto weight = at::minimum(
          ramp(y, total.size(0), (tiling.tile_height - tiling.stride_height) * plane.out)
              .unsqueeze(1),
          ramp(x, total.size(1), (tiling.tile_width - tiling.stride_width) * plane.out));
      const auto place = [&](const at::Tensor& whole) {
        return whole.narrow(-2, y.begin, y.end - y.begin).narrow(-1, x.begin, x.end - x.begin);
      };
      place(sum).addcmul_(part, weight);
      place(total).add_(weight);
    }
  }
  return sum.div_(total);
}

}  // namespace

std::vector<TileSpan> tile_spans(std::int64_t size, std::int64_t tile, std::int64_t stride) {
  if (stride < 1 || stride > tile) {
    raise<ConfigError>("VAE tiles: a stride of ", stride, " for tiles of ", tile,
                       "; it must lie between 1 and the size of a tile");
  }
  std::vector<TileSpan> spans;
  for (std::int64_t begin = 0;; begin += stride) {
    spans.push_back({begin, std::min(begin + tile, size)});
    if (spans.back().end == size) return spans;
  }
}

at::Tensor decode_tiled(const WanVae& vae, const at::Tensor& latent, const VaeTiling& tiling) {
  const auto [B, z, F, h, w] = dims<5>(latent, "latent [B, z, F, h, w]");
  SVI_CHECK(h >= 1 && w >= 1, "latent [B, z, F, h, w]: ", latent.sizes());
  return blend(latent, tiling, {h, w, 1, vae.config().spatial_stride()},
               [&](const at::Tensor& tile) { return vae.decode(tile); });
}

at::Tensor encode_tiled(const WanVae& vae, const at::Tensor& video, const VaeTiling& tiling) {
  const auto [B, C, T, H, W] = dims<5>(video, "video [B, 3, T, H, W]");
  const auto stride = vae.config().spatial_stride();
  SVI_CHECK(H % stride == 0 && W % stride == 0 && H > 0 && W > 0,
            "height and width must be multiples of ", stride, ", got ", H, " x ", W);
  return blend(video, tiling, {H / stride, W / stride, stride, 1},
               [&](const at::Tensor& tile) { return vae.encode(tile); });
}

}  // namespace svi
