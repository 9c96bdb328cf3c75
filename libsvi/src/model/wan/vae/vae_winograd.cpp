#include "model/wan/vae/vae_winograd.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "svi/core/check.hpp"
#include "svi/tensor/instruction_set.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::wan {
namespace {

#define SVI_KERNEL_FILE "model/wan/vae/vae_winograd_kernel.inc"
#define SVI_KERNEL_ROWS_AVX512 14
namespace winograd_sets {  // files are compiled together: each has sets of its own
#include "model/wan/kernels/instruction_sets.inc"
}  // namespace winograd_sets
#undef SVI_KERNEL_FILE
#undef SVI_KERNEL_ROWS_AVX512

struct Kernel {
  std::int64_t rows;     // of a block of the product
  std::int64_t columns;  // and its columns
  void (*input)(const float* const*, long, float*, long);
  void (*output)(const float*, long, const float*, const float* const*, float* const*, long);
  void (*weight)(const float*, long, long, float*, long);
  void (*multiply)(const float*, long, const float*, float*, long, long, long);
};

const Kernel& kernel() {
#ifdef SVI_WIDE_KERNELS
  static const Kernel wide512{winograd_sets::avx512::kRows,
                              winograd_sets::avx512::kColumns,
                              winograd_sets::avx512::transform_input,
                              winograd_sets::avx512::transform_output,
                              winograd_sets::avx512::transform_weight,
                              winograd_sets::avx512::multiply};
  static const Kernel wide256{winograd_sets::avx2::kRows,
                              winograd_sets::avx2::kColumns,
                              winograd_sets::avx2::transform_input,
                              winograd_sets::avx2::transform_output,
                              winograd_sets::avx2::transform_weight,
                              winograd_sets::avx2::multiply};
  if (instruction_set() == InstructionSet::avx512) return wide512;
  if (instruction_set() == InstructionSet::avx2) return wide256;
#endif
  static const Kernel plain{winograd_sets::baseline::kRows,
                            winograd_sets::baseline::kColumns,
                            winograd_sets::baseline::transform_input,
                            winograd_sets::baseline::transform_output,
                            winograd_sets::baseline::transform_weight,
                            winograd_sets::baseline::multiply};
  return plain;
}

constexpr std::int64_t kTile = 4;        // pixels of output, each way
constexpr std::int64_t kPositions = 36;  // values of a transformed tile
/// What the transformed tiles of a block may take: they are written once and read once, from the
/// last level of cache.
constexpr std::int64_t kBlockBytes = std::int64_t{16} << 20;
constexpr std::int64_t kMostTiles = 448;

std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

/// Channels that the product gives: as many as a pixel of the output has room for, or more.
std::int64_t padded_channels(std::int64_t out) {
  return round_up(round_up(out, 16), kernel().columns);
}

std::int64_t tiles_per_block(std::int64_t depth, std::int64_t rows) {
  const auto bytes = kPositions * depth * static_cast<std::int64_t>(sizeof(float));
  return round_up(std::clamp<std::int64_t>(kBlockBytes / bytes, 1, kMostTiles), rows);
}

/// The sizes of one call and where its tiles lie.
struct Geometry {
  std::int64_t height, width;  // of the output
  std::int64_t in, out;        // channels, out padded
  std::int64_t pitch;          // floats per pixel of the output
  std::int64_t rows, columns;  // of tiles in a frame
  int shift;                   // 1 where the frames are to be upsampled

  /// Pixels that the tile reads, `zero` outside the frame.
  void gather(const float* frame, std::int64_t tile, const float* zero,
              const float** pixels) const {
    const auto image = frame + tile / (rows * columns) * (height >> shift) * (width >> shift) * in;
    const auto top = tile / columns % rows * kTile - 1, left = tile % columns * kTile - 1;
    for (std::int64_t y = top; y < top + 6; ++y) {
      const bool inside = y >= 0 && y < height;
      const auto* row = image + (y >> shift) * (width >> shift) * in;
      for (std::int64_t x = left; x < left + 6; ++x) {
        *pixels++ = inside && x >= 0 && x < width ? row + (x >> shift) * in : zero;
      }
    }
  }

  /// Where the tile's output lies in `frame`, null outside.
  template <class Value>
  void scatter(Value* frame, std::int64_t tile, Value** pixels) const {
    auto* image = frame + tile / (rows * columns) * height * width * pitch;
    const auto top = tile / columns % rows * kTile, left = tile % columns * kTile;
    for (std::int64_t y = top; y < top + kTile; ++y) {
      for (std::int64_t x = left; x < left + kTile; ++x) {
        *pixels++ = y < height && x < width ? image + (y * width + x) * pitch : nullptr;
      }
    }
  }
};

/// Takes the tiles [first, first + count) through: transform, product by position, transform back.
class Block {
 public:
  Block(const Geometry& geometry, std::int64_t taps, std::int64_t tiles)
      : geometry_(geometry),
        depth_(taps * geometry.in),
        tiles_(tiles),
        in_(at::empty({kPositions, tiles, depth_}, at::kFloat)),
        out_(at::empty({kPositions, tiles, geometry.out}, at::kFloat)) {}

  void read(const std::vector<const float*>& frames, const float* zero, std::int64_t first,
            std::int64_t count) {
    const auto rest = round_up(count, kernel().rows) - count;  // of the last block of rows
    if (rest > 0) in_.narrow(1, count, rest).zero_();
    auto* in = in_.mutable_data_ptr<float>();
    const auto taps = static_cast<std::int64_t>(frames.size());
    parallel_for(0, count * taps, 4, [&](std::int64_t begin, std::int64_t end) {
      std::array<const float*, kPositions> pixels;
      for (auto item = begin; item < end; ++item) {
        const auto tile = item / taps, tap = item % taps;
        geometry_.gather(frames[static_cast<std::size_t>(tap)], first + tile, zero, pixels.data());
        kernel().input(pixels.data(), geometry_.in, in + tile * depth_ + tap * geometry_.in,
                       tiles_ * depth_);
      }
    });
  }

  void multiply(const float* weight, std::int64_t count) {
    const auto* in = in_.const_data_ptr<float>();
    auto* out = out_.mutable_data_ptr<float>();
    const auto columns = kernel().columns, panels = geometry_.out / columns;
    const auto rows = round_up(count, kernel().rows);
    parallel_for(0, kPositions * panels, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto item = begin; item < end; ++item) {
        const auto position = item / panels, panel = item % panels;
        kernel().multiply(in + position * tiles_ * depth_, depth_, weight + item * depth_ * columns,
                          out + position * tiles_ * geometry_.out + panel * columns, geometry_.out,
                          rows, depth_);
      }
    });
  }

  void write(const float* bias, const float* add, float* frame, std::int64_t first,
             std::int64_t count) const {
    const auto* out = out_.const_data_ptr<float>();
    parallel_for(0, count, 4, [&](std::int64_t begin, std::int64_t end) {
      std::array<const float*, 16> added;
      std::array<float*, 16> pixels;
      for (auto tile = begin; tile < end; ++tile) {
        geometry_.scatter(frame, first + tile, pixels.data());
        if (add != nullptr) geometry_.scatter(add, first + tile, added.data());
        kernel().output(out + tile * geometry_.out, tiles_ * geometry_.out, bias,
                        add != nullptr ? added.data() : nullptr, pixels.data(),
                        std::min(geometry_.out, geometry_.pitch));
      }
    });
  }

 private:
  Geometry geometry_;
  std::int64_t depth_;
  std::int64_t tiles_;
  at::Tensor in_;   // [position, tile, tap in]
  at::Tensor out_;  // [position, tile, out]
};

}  // namespace

std::int64_t winograd_scratch_bytes(std::int64_t in, std::int64_t out, std::int64_t taps) {
  const auto tiles = tiles_per_block(taps * in, kernel().rows);
  const auto padded = padded_channels(out);
  return kPositions * 4 * (tiles * (taps * in + padded) + taps * in * padded);
}

/// [position][panel of columns][tap, in][column]: each panel lies as the product reads it.
at::Tensor winograd_weight(const at::Tensor& weight, std::int64_t taps) {
  SVI_CHECK(weight.is_contiguous() && weight.dim() == 5 && taps <= weight.size(2),
            "winograd: weight ", weight.sizes());
  const auto O = weight.size(0), I = weight.size(1), all = weight.size(2);
  const auto columns = kernel().columns, panels = padded_channels(O) / columns;
  auto result = at::empty({kPositions, panels, taps * I, columns}, weight.options());
  const auto* from = weight.const_data_ptr<float>();
  auto* to = result.mutable_data_ptr<float>();
  parallel_for(0, panels * I, 8, [&](std::int64_t begin, std::int64_t end) {
    for (auto item = begin; item < end; ++item) {
      const auto panel = item / I, i = item % I, first = panel * columns;
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        kernel().weight(from + ((first * I + i) * all + all - taps + tap) * 9, I * all * 9,
                        std::clamp<std::int64_t>(O - first, 0, columns),
                        to + ((panel * taps + tap) * I + i) * columns, panels * taps * I * columns);
      }
    }
  });
  return result;
}

void winograd_convolution(const WinogradInput& input, const at::Tensor& weight,
                          const at::Tensor& bias, const at::Tensor& add, at::Tensor& out) {
  const auto taps = static_cast<std::int64_t>(input.frames.size());
  winograd_convolution_made(input, winograd_weight(weight, taps), bias, add, out);
}

void winograd_convolution_made(const WinogradInput& input, const at::Tensor& made,
                               const at::Tensor& bias, const at::Tensor& add, at::Tensor& out) {
  const auto taps = static_cast<std::int64_t>(input.frames.size());
  const auto& latest = input.frames.back();
  const int shift = input.upsample ? 1 : 0;
  const auto padded = made.size(1) * made.size(3), depth = made.size(2);
  const Geometry geometry{.height = latest.size(1) << shift,
                          .width = latest.size(2) << shift,
                          .in = latest.size(3),
                          .out = padded,
                          .pitch = out.size(3),
                          .rows = ((latest.size(1) << shift) + kTile - 1) / kTile,
                          .columns = ((latest.size(2) << shift) + kTile - 1) / kTile,
                          .shift = shift};
  SVI_CHECK(out.is_contiguous() && depth == taps * geometry.in && out.size(1) == geometry.height &&
                out.size(2) == geometry.width && geometry.pitch <= padded &&
                geometry.pitch >= bias.size(0) && geometry.pitch % 16 == 0,
            "winograd: ", made.sizes(), " over ", latest.sizes(), " into ", out.sizes());
  const auto offsets = at::constant_pad_nd(bias, {0, padded - bias.size(0)}).contiguous();
  const auto zero = at::zeros({geometry.in}, latest.options());
  std::vector<const float*> frames;
  for (const auto& frame : input.frames) {
    SVI_CHECK(frame.is_contiguous() && frame.sizes() == latest.sizes(), "winograd: frame ",
              frame.sizes());
    frames.push_back(frame.const_data_ptr<float>());
  }
  const auto total = latest.size(0) * geometry.rows * geometry.columns;
  const auto tiles =
      std::min(tiles_per_block(taps * geometry.in, kernel().rows), round_up(total, kernel().rows));
  Block block(geometry, taps, tiles);
  for (std::int64_t first = 0; first < total; first += tiles) {
    const auto count = std::min(tiles, total - first);
    block.read(frames, zero.const_data_ptr<float>(), first, count);
    block.multiply(made.const_data_ptr<float>(), count);
    block.write(offsets.const_data_ptr<float>(),
                add.defined() ? add.const_data_ptr<float>() : nullptr,
                out.mutable_data_ptr<float>(), first, count);
  }
}

}  // namespace svi::wan

#undef SVI_WIDE_KERNELS
