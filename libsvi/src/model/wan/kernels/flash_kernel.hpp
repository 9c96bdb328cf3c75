#pragma once

#include <cstdint>

namespace svi::wan {

// The inner loops of softmax attention for one tile of queries. Where the CPU multiplies bf16
// (svi::multiplies_bf16) there are loops of its own instructions; others take fp32 of any width,
// and widen operands in bf16 panel by panel, in cache.
//
// Operands are seen as 32-bit words: one fp32 number, or two consecutive bf16 numbers. Keys and
// values come in panels of kPanelKeys, padded with zeros:
//   keys    [words of head_dim][kPanelKeys]   word w of every key, side by side
//   values  [words of kPanelKeys][head_dim]   for bf16 a word holds two keys' values of one channel
inline constexpr std::int64_t kPanelKeys = 64;
inline constexpr std::int64_t kTileQueries = 96;

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

/// The loops for CPUs without products of bf16, and what they need.
void flash_tile_plain_fp32(const FlashTile& tile);
void flash_tile_plain_bf16(const FlashTile& tile);
std::int64_t flash_tile_plain_scratch(std::int64_t head_dim);

}  // namespace svi::wan
