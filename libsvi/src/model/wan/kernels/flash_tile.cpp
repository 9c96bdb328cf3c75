#include <algorithm>

#include "model/wan/kernels/flash_kernel.hpp"
#include "model/wan/kernels/product.hpp"
#include "model/wan/kernels/row_kernels.hpp"
#include "svi/tensor/instruction_set.hpp"

namespace svi::wan {
namespace {

#define SVI_KERNEL_FILE "model/wan/kernels/flash_tile.inc"
#define SVI_KERNEL_ROWS_AVX512 12
namespace flash_sets {  // files are compiled together: each has sets of its own
#include "model/wan/kernels/instruction_sets.inc"
}  // namespace flash_sets
#undef SVI_KERNEL_FILE
#undef SVI_KERNEL_ROWS_AVX512

struct FlashLoops {
  long columns;
  void (*multiply)(Fp32Rows, const float*, Fp32Rows, float*, long, long, long);
  void (*softmax)(long, float*, const float*, float*, float*, float*);
  void (*rescale)(long, long, const float*, float*);
  void (*divide)(long, long, const float*, const float*, float*, long);
  void (*block_rows)(const void*, long, long, float*);
  void (*block_pairs)(const void*, long, long, float*);
};

#define SVI_FLASH_KERNEL(set)                                                              \
  FlashLoops {                                                                             \
    set::kColumns, set::multiply, set::softmax_panel, set::rescale_rows, set::divide_rows, \
        set::block_rows, set::block_pairs                                                  \
  }

const FlashLoops& flash_loops() {
  static const FlashLoops chosen = [] {
#ifdef SVI_WIDE_KERNELS
    if (instruction_set() == InstructionSet::avx512) return SVI_FLASH_KERNEL(flash_sets::avx512);
    if (instruction_set() == InstructionSet::avx2) return SVI_FLASH_KERNEL(flash_sets::avx2);
#endif
    return SVI_FLASH_KERNEL(flash_sets::baseline);
  }();
  return chosen;
}

/// The scratch of a tile, cut up.
struct Scratch {
  Scratch(float* at, std::int64_t head_dim)
      : sums(at),
        scores(sums + kTileQueries * head_dim),
        maximum(scores + kTileQueries * kPanelKeys),
        sum(maximum + kTileQueries),
        rescale(sum + kTileQueries),
        multiple(rescale + kTileQueries),
        queries(multiple + kPanelKeys),
        keys(queries + kTileQueries * head_dim),
        values(keys + kPanelKeys * head_dim) {}

  float* sums;    // [queries, head_dim]
  float* scores;  // [queries, kPanelKeys], then their weights
  float *maximum, *sum, *rescale;
  float* multiple;  // [kPanelKeys]
  float* queries;   // [queries, head_dim]  of queries in bf16
  float* keys;      // [kPanelKeys / columns, head_dim, columns]
  float* values;    // [head_dim / columns, kPanelKeys, columns]
};

// How often each key of the last panel counts; those of other panels count once.
const float* multiples(const FlashTile& tile, std::int64_t first, float* made) {
  const auto left = tile.count - first;
  if (left > kPanelKeys || (left == kPanelKeys && tile.last_weight == 1)) return nullptr;
  std::fill_n(made, left, 1.0F);
  std::fill(made + left, made + kPanelKeys, 0.0F);
  made[left - 1] = tile.last_weight;
  return made;
}

// `queries` are those of the tile in fp32; `block` brings rows of a panel, of `bytes` each number.
void run_plain_tile(const FlashTile& tile, const float* queries, std::int64_t bytes,
                    void (*block)(const void*, long, long, float*), const Scratch& at) {
  const auto d = tile.head_dim, rows = tile.rows,
             step = static_cast<std::int64_t>(flash_loops().columns);
  std::fill_n(at.sums, rows * d, 0.0F);
  std::fill_n(at.maximum, rows, -1e30F);
  std::fill_n(at.sum, rows, 0.0F);
  const float zeros[64] = {};
  const auto* keys = static_cast<const char*>(tile.keys);
  const auto* values = static_cast<const char*>(tile.values);
  for (std::int64_t first = 0; first < tile.count; first += kPanelKeys) {
    block(keys, d, kPanelKeys, at.keys);
    for (std::int64_t j = 0; j < kPanelKeys; j += step) {
      flash_loops().multiply({queries, d}, at.keys + j * d, {zeros, 0}, at.scores + j, kPanelKeys,
                             rows, d);
    }
    flash_loops().softmax(rows, at.scores, multiples(tile, first, at.multiple), at.maximum, at.sum,
                          at.rescale);
    flash_loops().rescale(rows, d, at.rescale, at.sums);
    block(values, kPanelKeys, d, at.values);
    for (std::int64_t j = 0; j < d; j += step) {
      flash_loops().multiply({at.scores, kPanelKeys}, at.values + j * kPanelKeys, {at.sums + j, d},
                             at.sums + j, d, rows, kPanelKeys);
    }
    keys += kPanelKeys * d * bytes;
    values += kPanelKeys * d * bytes;
  }
}

}  // namespace

std::int64_t flash_tile_plain_scratch(std::int64_t head_dim) {
  return 2 * kTileQueries * head_dim + kTileQueries * (kPanelKeys + 3) + kPanelKeys +
         2 * kPanelKeys * head_dim;
}

void flash_tile_plain_fp32(const FlashTile& tile) {
  const Scratch at(tile.scratch, tile.head_dim);
  run_plain_tile(tile, static_cast<const float*>(tile.queries), 4, flash_loops().block_rows, at);
  flash_loops().divide(tile.rows, tile.head_dim, at.sum, at.sums, static_cast<float*>(tile.out),
                       tile.out_stride);
}

void flash_tile_plain_bf16(const FlashTile& tile) {
  const Scratch at(tile.scratch, tile.head_dim);
  widen(static_cast<const Bf16Bits*>(tile.queries), tile.rows * tile.head_dim, at.queries);
  run_plain_tile(tile, at.queries, 2, flash_loops().block_pairs, at);
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    narrow(at.sums + i * tile.head_dim, tile.head_dim, 1 / at.sum[i],
           static_cast<Bf16Bits*>(tile.out) + i * tile.out_stride);
  }
}

}  // namespace svi::wan

#undef SVI_WIDE_KERNELS
#undef SVI_FLASH_KERNEL
