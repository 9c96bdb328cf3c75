#include <ATen/ATen.h>

#include <cmath>
#include <cstring>

#include "memory/lanes_detail.hpp"
#include "memory/segments_detail.hpp"
#include "svi/core/check.hpp"

namespace svi::detail {

namespace {

// A coefficient is a sum of at most 32 fp32 numbers, off by 2e-6 of the block's norm: norms of the
// coarse and of the fine part are rounded up by more than that.
constexpr double kCoarseError = 1e-5;

std::uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

template <class T>
Fingerprint fingerprint_of(const at::Tensor& residual) {
  const Segments cut(residual);
  const auto loops = kernels<T>();
  const T* data = elements<T>(residual);
  std::vector<float> scratch(cut.columns), coefficients(cut.blocks_per_plane());
  Fingerprint print;
  std::vector<std::uint16_t> sketch;
  sketch.reserve(cut.planes * cut.blocks_per_plane());
  std::array<double, kSegments> whole{}, coarse{};
  for (std::size_t segment = 0; segment < kSegments; ++segment) {
    print.sketch_begin[segment] = sketch.size();
    const auto end = cut.first_plane(segment + 1);
    for (auto plane = cut.first_plane(segment); plane < end; ++plane) {
      const T* from = data + plane * cut.plane();
      whole[segment] += loops.squares(from, cut.plane());
      coarse_plane(from, cut, loops.columns, scratch.data(), coefficients.data());
      for (const float coefficient : coefficients) {
        coarse[segment] += static_cast<double>(coefficient) * static_cast<double>(coefficient);
        sketch.push_back(to_bf16(coefficient));
      }
    }
  }
  print.sketch_begin[kSegments] = sketch.size();
  print.sketch = at::empty({static_cast<std::int64_t>(sketch.size())}, at::kBFloat16);
  std::memcpy(print.sketch.mutable_data_ptr(), sketch.data(), print.sketch.nbytes());
  double all = 0, blocks = 0;
  for (std::size_t segment = kSegments; segment-- > 0;) {
    all += whole[segment];
    blocks += coarse[segment];
    print.whole[segment] = std::sqrt(all);
    print.coarse[segment] = std::sqrt(blocks + kCoarseError * all);
    print.fine[segment] = std::sqrt(std::max(0.0, all * (1 + kCoarseError) - blocks));
  }
  return print;
}

}  // namespace

Fingerprint fingerprint(const at::Tensor& residual) {
  return residual.scalar_type() == at::kBFloat16 ? fingerprint_of<std::uint16_t>(residual)
                                                 : fingerprint_of<float>(residual);
}

}  // namespace svi::detail
