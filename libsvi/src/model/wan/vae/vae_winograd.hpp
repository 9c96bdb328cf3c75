#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"

namespace svi::wan {

/// Plugins of this source tree use these, too, so they are exported.
///
/// Convolution of one frame (and the frames before it) by Winograd's F(4x4, 3x3): a quarter of the
/// multiplications of the plain sum. fp32 on the CPU, without gradients.
///
/// Note [Winograd]: the official VAE spends nearly all its time in 3x3x3 convolutions of 96 to 384
/// channels, where a library's direct convolution already runs near the machine's peak; fewer
/// operations are what is left. Tiles of 6x6 pixels go through in blocks that stay in cache, so no
/// padded or transformed frame exists in memory, and nearest upsampling is only another way to find
/// a pixel. Sums do not depend on the number of threads. The relative error is about 1.5e-6 per
/// layer (Lavin and Gray 2016 give the scheme, its points are our choice).
struct WinogradInput {
  std::vector<at::Tensor> frames;  // [B, H, W, in] each, the latest last; as many as there are taps
  bool upsample = false;           // the frames stand for [B, 2 H, 2 W, in], each pixel four times
};

/// `weight` [out, in, taps, 3, 3] contiguous, whose last frames.size() taps are used; `bias` [out];
/// in a multiple of 16. Writes `out` [B, H, W, out rounded up to a multiple of 16]. `add`, of the
/// same shape, is added unless it is undefined; it may be `out`.
void winograd_convolution(const WinogradInput& input, const at::Tensor& weight,
                          const at::Tensor& bias, const at::Tensor& add, at::Tensor& out);

/// The same with a weight that winograd_weight() has made, once for many calls.
SVI_EXPORT void winograd_convolution_made(const WinogradInput& input, const at::Tensor& made,
                                          const at::Tensor& bias, const at::Tensor& add,
                                          at::Tensor& out);
/// The last `taps` of a weight [out, in, ..., 3, 3] as the product reads it, on this processor.
SVI_EXPORT at::Tensor winograd_weight(const at::Tensor& weight, std::int64_t taps);

/// Bytes that one call needs for itself.
std::int64_t winograd_scratch_bytes(std::int64_t in, std::int64_t out, std::int64_t taps);

}  // namespace svi::wan
