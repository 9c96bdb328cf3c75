#include "vision/flow/line_conv.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "svi/core/check.hpp"
#include "svi/tensor/instruction_set.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::vision {
namespace {

#define SVI_KERNEL_FILE "vision/flow/line_conv_kernel.inc"
#define SVI_KERNEL_ROWS_AVX512 1
namespace line_sets {
#include "model/wan/kernels/instruction_sets.inc"
}  // namespace line_sets
#undef SVI_KERNEL_FILE
#undef SVI_KERNEL_ROWS_AVX512

struct LineKernel {
  void (*transform)(const float* const*, long, float*, long);
  void (*back)(const float*, long, const float* const*, float* const*, long, long);
};

const LineKernel& line_kernel() {
#ifdef SVI_WIDE_KERNELS
  static const LineKernel wide512{line_sets::avx512::transform_line,
                                  line_sets::avx512::transform_line_back};
  static const LineKernel wide256{line_sets::avx2::transform_line,
                                  line_sets::avx2::transform_line_back};
  if (instruction_set() == InstructionSet::avx512) return wide512;
  if (instruction_set() == InstructionSet::avx2) return wide256;
#endif
  static const LineKernel plain{line_sets::baseline::transform_line,
                                line_sets::baseline::transform_line_back};
  return plain;
}

constexpr std::int64_t kTaps = 5, kOutputs = 4, kValues = 8;  // of a tile
constexpr std::int64_t kTilesAtOnce = 512;
constexpr std::array<double, 7> kPoints = {0, 0.5, -0.5, 1, -1, 2, -2};  // and infinity

/// [8, in, out] of a weight [out, in, 5]: its polynomial at each point, over the product of the
/// point's distances to the others.
at::Tensor line_weight(const at::Tensor& weight) {
  const auto taps = weight.to(at::kDouble);
  std::vector<at::Tensor> values;
  for (const double point : kPoints) {
    double distances = 1, power = 1;
    for (const double other : kPoints)
      if (other != point) distances *= point - other;
    auto value = at::zeros({weight.size(0), weight.size(1)}, at::kDouble);
    for (std::int64_t k = 0; k < kTaps; ++k, power *= point) value += taps.select(2, k) * power;
    values.push_back(value / distances);
  }
  values.push_back(taps.select(2, kTaps - 1));
  return at::stack(values).transpose(1, 2).to(at::kFloat).contiguous();
}

/// Where the pixels of tiles lie in a frame.
struct Lines {
  std::int64_t length, step, line_step;  // of a line: pixels, and from one to the next; of lines
  std::int64_t tiles;                    // of a line

  /// Pixel `i` of the tile, from -2 on; -1 outside the line.
  std::int64_t pixel(std::int64_t tile, std::int64_t i) const {
    const auto place = tile % tiles * kOutputs + i;
    return place >= 0 && place < length ? tile / tiles * line_step + place * step : -1;
  }
};

}  // namespace

LineConv::LineConv(Conv conv) : conv_(std::move(conv)) {
  across_ = conv_.weight.size(2) == 1;
  SVI_CHECK(conv_.weight.size(2) * conv_.weight.size(3) == kTaps && !conv_.bias.defined() &&
                conv_.weight.size(0) % 16 == 0 && conv_.weight.size(1) % 16 == 0,
            "line convolution of ", conv_.weight.sizes());
  if (!conv_.weight.is_cpu()) return;
  made_ = line_weight(conv_.weight.squeeze(across_ ? 2 : 3));
  conv_.weight = at::Tensor();
}

at::Tensor LineConv::operator()(const at::Tensor& x, const at::Tensor& add) const {
  if (!made_.defined()) return conv_(x).add_(add);
  const auto frame = x.permute({0, 2, 3, 1}).contiguous();  // [1, h, w, in]
  const auto more = add.permute({0, 2, 3, 1}).contiguous();
  const auto h = frame.size(1), w = frame.size(2), in = frame.size(3), out = made_.size(2);
  const Lines lines = across_ ? Lines{w, 1, w, (w + kOutputs - 1) / kOutputs}
                              : Lines{h, w, 1, (h + kOutputs - 1) / kOutputs};
  const auto total = lines.tiles * (across_ ? h : w), block = std::min(total, kTilesAtOnce);
  auto result = at::empty({1, h, w, out}, frame.options());
  const auto zero = at::zeros({in}, frame.options());
  const auto values = at::empty({kValues, block, in}, frame.options());
  const auto products = at::empty({kValues, block, out}, frame.options());
  const auto* from = frame.const_data_ptr<float>();
  const auto* added = more.const_data_ptr<float>();
  const auto* nothing = zero.const_data_ptr<float>();
  auto* to = result.mutable_data_ptr<float>();
  auto* tile_values = values.mutable_data_ptr<float>();
  const auto* tile_products = products.const_data_ptr<float>();
  for (std::int64_t first = 0; first < total; first += block) {
    const auto count = std::min(block, total - first);
    parallel_for(0, count, 8, [&](std::int64_t begin, std::int64_t end) {
      std::array<const float*, kValues> pixels;
      for (auto tile = begin; tile < end; ++tile) {
        for (std::int64_t i = 0; i < kValues; ++i) {
          const auto pixel = lines.pixel(first + tile, i - kTaps / 2);
          pixels[static_cast<std::size_t>(i)] = pixel < 0 ? nothing : from + pixel * in;
        }
        line_kernel().transform(pixels.data(), in, tile_values + tile * in, block * in);
      }
    });
    auto made = products.narrow(1, 0, count);
    at::bmm_out(made, values.narrow(1, 0, count), made_);
    parallel_for(0, count, 8, [&](std::int64_t begin, std::int64_t end) {
      std::array<const float*, kOutputs> adds;
      std::array<float*, kOutputs> pixels;
      for (auto tile = begin; tile < end; ++tile) {
        std::int64_t inside = 0;
        for (; inside < kOutputs; ++inside) {
          const auto pixel = lines.pixel(first + tile, inside);
          if (pixel < 0) break;
          adds[static_cast<std::size_t>(inside)] = added + pixel * out;
          pixels[static_cast<std::size_t>(inside)] = to + pixel * out;
        }
        line_kernel().back(tile_products + tile * out, block * out, adds.data(), pixels.data(),
                           inside, out);
      }
    });
  }
  return result.permute({0, 3, 1, 2});
}

}  // namespace svi::vision

#undef SVI_WIDE_KERNELS
