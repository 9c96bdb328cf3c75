#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi {

/// Tiles of a frame, in latent pixels; neighbours overlap by tile - stride. The defaults are the
/// reference's for decoding; `kEncodeTiling` has those for encoding.
struct VaeTiling {
  std::int64_t tile_height = 30;    // latent pixels
  std::int64_t tile_width = 52;     // latent pixels
  std::int64_t stride_height = 15;  // latent pixels
  std::int64_t stride_width = 26;   // latent pixels
};
inline constexpr VaeTiling kEncodeTiling{34, 34, 18, 16};  // of the reference

/// From `begin` to before `end`.
struct TileSpan {
  std::int64_t begin;  // first one
  std::int64_t end;    // behind the last one
  bool operator==(const TileSpan&) const = default;
};

/// The tiles along one side of `size` pixels: one at every stride until the end is reached, the
/// last cut off there. Throws ConfigError unless 1 <= stride <= tile.
SVI_EXPORT std::vector<TileSpan> tile_spans(std::int64_t size, std::int64_t tile,
                                            std::int64_t stride);

/// As `vae.decode` and `vae.encode`, tile by tile: less memory, and values near a seam that do not
/// know what is beyond their tile. Overlaps blend by linear ramps of width tile - stride, the
/// smaller of the two directions counting; sums are fp32 on the CPU, and so is the result. A tile
/// as large as the frame gives exactly the untiled result. No gradients. Throws ConfigError.
SVI_EXPORT at::Tensor decode_tiled(const WanVae& vae, const at::Tensor& latent,
                                   const VaeTiling& tiling = {});
/// As `vae.encode`, tile by tile: video [B, 3, T, H, W] to latent [B, z, F, h, w].
SVI_EXPORT at::Tensor encode_tiled(const WanVae& vae, const at::Tensor& video,
                                   const VaeTiling& tiling = kEncodeTiling);

}  // namespace svi
