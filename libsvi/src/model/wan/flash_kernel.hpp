#pragma once

#include <cstdint>

namespace svi::wan {

// The inner loops of softmax attention for one tile of queries, for CPUs with AVX-512 and its bf16
// products (AMD since Zen 4, Intel since Sapphire Rapids); others use LibTorch's attention.
//
// Operands are seen as 32-bit words: one fp32 number, or two consecutive bf16 numbers, which the
// CPU multiplies and adds into fp32 at once. Keys and values come in panels of kPanelKeys, padded
// with zeros:
//   keys    [words of head_dim][kPanelKeys]   word w of every key, side by side
//   values  [words of kPanelKeys][head_dim]   for bf16 a word holds two keys' values of one channel
inline constexpr std::int64_t kPanelKeys = 64;
inline constexpr std::int64_t kTileQueries = 96;

/// Whether this CPU has what the tiles need.
bool has_flash_kernel();

/// Floats of scratch a tile of head_dim channels needs.
std::int64_t flash_scratch(std::int64_t head_dim);

/// One head's keys and values, and the queries of one tile. `Word` layout as above.
struct FlashTile {
  const void* queries;    // [rows][head_dim], scaled by log2(e) / sqrt(head_dim), contiguous
  std::int64_t rows;      // at most kTileQueries
  const void* keys;       // panels
  const void* values;     // panels
  std::int64_t count;     // keys
  float last_weight;      // how many equal keys the last one stands for
  std::int64_t head_dim;  // a multiple of 64
  void* out;              // rows of head_dim numbers, `out_stride` numbers apart
  std::int64_t out_stride;
  float* scratch;
};

/// out = softmax(q k^T) v, in fp32 and with fp32 operands; or with bf16 operands, sums in fp32.
void flash_tile_fp32(const FlashTile& tile);
void flash_tile_bf16(const FlashTile& tile);

}  // namespace svi::wan
