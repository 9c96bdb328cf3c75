#include "model/wan/kernels/flash_kernel.hpp"

#include "svi/tensor/instruction_set.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
// g++ 12 takes the undefined lanes of its own intrinsics for a mistake.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#define SVI_FLASH 1
#define SVI_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")))
#define SVI_INLINE SVI_TARGET inline __attribute__((always_inline))
#endif

namespace svi::wan {

std::int64_t flash_scratch(std::int64_t head_dim) {
  if (!multiplies_bf16()) return flash_tile_plain_scratch(head_dim);
  // Sums of the output, scores, weights, and a maximum, a sum and a rescaling per query.
  return kTileQueries * (head_dim + 2 * kPanelKeys + 3);
}

#ifdef SVI_FLASH
namespace {

using Word = std::int32_t __attribute__((may_alias));

constexpr int kLanes = 16;   // words of a vector
constexpr int kVectors = 4;  // vectors a step of the product spans: 64 columns
constexpr int kRows = 6;     // rows of the product kept in registers: 6 x 4 of the 32

struct Fp32 {
  using Number = float;
  static constexpr std::int64_t kPerWord = 1;
  SVI_INLINE static __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
  }
  SVI_INLINE static void store(Number* to, __m512 x) { _mm512_storeu_ps(to, x); }
};

struct Bf16 {
  using Number = std::uint16_t;
  static constexpr std::int64_t kPerWord = 2;
  SVI_INLINE static __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
  SVI_INLINE static void store(Number* to, __m512 x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x));
  }
};

// C[R][64] (+)= A[R][words] B[words][64]; strides in words.
template <class T, int R, bool kAdd>
SVI_INLINE void product(const Word* a, std::int64_t a_stride, const Word* b, std::int64_t b_stride,
                        std::int64_t words, float* c, std::int64_t c_stride) {
  __m512 sums[R][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = kAdd ? _mm512_loadu_ps(c + r * c_stride + v * kLanes) : _mm512_setzero_ps();
    }
  }
  for (std::int64_t w = 0; w < words; ++w) {
    __m512i right[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      right[v] = _mm512_loadu_si512(b + w * b_stride + v * kLanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512i left = _mm512_set1_epi32(a[r * a_stride + w]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        sums[r][v] = T::multiply_add(sums[r][v], left, right[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      _mm512_storeu_ps(c + r * c_stride + v * kLanes, sums[r][v]);
    }
  }
}

// The same for any number of rows and 64 columns.
template <class T, bool kAdd>
SVI_TARGET void product_rows(std::int64_t rows, const Word* a, std::int64_t a_stride, const Word* b,
                             std::int64_t b_stride, std::int64_t words, float* c,
                             std::int64_t c_stride) {
  std::int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    product<T, kRows, kAdd>(a + r * a_stride, a_stride, b, b_stride, words, c + r * c_stride,
                            c_stride);
  }
  for (; r + 2 <= rows; r += 2) {
    product<T, 2, kAdd>(a + r * a_stride, a_stride, b, b_stride, words, c + r * c_stride, c_stride);
  }
  if (r < rows) {
    product<T, 1, kAdd>(a + r * a_stride, a_stride, b, b_stride, words, c + r * c_stride, c_stride);
  }
}

// 2^x to about 2e-7 relative, zero below 2^-126: scores are far below 2^127 after their maximum.
SVI_INLINE __m512 exp2_fast(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-127.0F));
  const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 r = _mm512_sub_ps(x, n);  // in [-1/2, 1/2]; coefficients are (ln 2)^k / k!
  __m512 p = _mm512_set1_ps(1.5403530e-4F);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3333558e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.6181291e-3F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.5504109e-2F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.4022651e-1F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.9314718e-1F));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F));
  return _mm512_scalef_ps(p, n);
}

// Where the rows of a tile keep what they have seen.
struct Progress {
  float* maximum;  // [rows]
  float* sum;      // [rows]
  float* rescale;  // [rows]  what the panel's maximum does to earlier sums
};

// Scores [rows][64] of one panel to weights; `valid` keys are real, the last of them counts
// `last_weight` times.
template <class T>
SVI_TARGET void softmax_panel(std::int64_t rows, const float* scores, std::int64_t valid,
                              float last_weight, const Progress& seen,
                              typename T::Number* weights) {
  __mmask16 real[kVectors];
  __m512 multiple[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const auto left = valid - v * kLanes;
    real[v] = left >= kLanes ? __mmask16(0xFFFF)
              : left <= 0    ? __mmask16(0)
                             : __mmask16((1U << left) - 1);
    multiple[v] = _mm512_set1_ps(1.0F);
    if (left >= 1 && left <= kLanes) {
      multiple[v] =
          _mm512_mask_mov_ps(multiple[v], __mmask16(1U << (left - 1)), _mm512_set1_ps(last_weight));
    }
  }
  const __m512 lowest = _mm512_set1_ps(-1e30F);
  for (std::int64_t i = 0; i < rows; ++i) {
    __m512 score[kVectors];
    __m512 top = lowest;
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      score[v] = _mm512_mask_loadu_ps(lowest, real[v], scores + i * kPanelKeys + v * kLanes);
      top = _mm512_max_ps(top, score[v]);
    }
    const float before = seen.maximum[i];
    const float panel = _mm512_reduce_max_ps(top);
    const float maximum = panel > before ? panel : before;
    const __m512 shift = _mm512_set1_ps(maximum);
    __m512 total = _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const __m512 power = exp2_fast(_mm512_sub_ps(score[v], shift));
      const __m512 weight = _mm512_maskz_mul_ps(real[v], power, multiple[v]);
      total = _mm512_add_ps(total, weight);
      T::store(weights + i * kPanelKeys + v * kLanes, weight);
    }
    seen.rescale[i] = _mm512_cvtss_f32(exp2_fast(_mm512_set1_ps(before - maximum)));
    seen.sum[i] = seen.sum[i] * seen.rescale[i] + _mm512_reduce_add_ps(total);
    seen.maximum[i] = maximum;
  }
}

SVI_TARGET void rescale_rows(std::int64_t rows, std::int64_t width, const float* by, float* sums) {
  for (std::int64_t i = 0; i < rows; ++i) {
    if (by[i] == 1.0F) continue;
    const __m512 factor = _mm512_set1_ps(by[i]);
    for (std::int64_t j = 0; j < width; j += kLanes) {
      float* at = sums + i * width + j;
      _mm512_storeu_ps(at, _mm512_mul_ps(_mm512_loadu_ps(at), factor));
    }
  }
}

template <class T>
SVI_TARGET void run_tile(const FlashTile& tile) {
  using Number = typename T::Number;
  constexpr std::int64_t kKeyWords = kPanelKeys / T::kPerWord;
  const auto d = tile.head_dim, words = d / T::kPerWord;
  float* sums = tile.scratch;                           // [rows][d]
  float* scores = sums + kTileQueries * d;              // [rows][64]
  float* weights = scores + kTileQueries * kPanelKeys;  // [rows][64] of Number
  float* state = weights + kTileQueries * kPanelKeys;
  const Progress seen{state, state + kTileQueries, state + 2 * kTileQueries};
  for (std::int64_t i = 0; i < tile.rows * d; ++i) sums[i] = 0;
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    seen.maximum[i] = -1e30F;
    seen.sum[i] = 0;
  }
  const auto* queries = static_cast<const Word*>(tile.queries);
  const auto* keys = static_cast<const Word*>(tile.keys);
  const auto* values = static_cast<const Word*>(tile.values);
  for (std::int64_t first = 0; first < tile.count; first += kPanelKeys) {
    const auto left = tile.count - first;
    const auto valid = left < kPanelKeys ? left : kPanelKeys;
    product_rows<T, false>(tile.rows, queries, words, keys, kPanelKeys, words, scores, kPanelKeys);
    softmax_panel<T>(tile.rows, scores, valid, left <= kPanelKeys ? tile.last_weight : 1.0F, seen,
                     reinterpret_cast<Number*>(weights));
    rescale_rows(tile.rows, d, seen.rescale, sums);
    for (std::int64_t column = 0; column < d; column += kVectors * kLanes) {
      product_rows<T, true>(tile.rows, reinterpret_cast<const Word*>(weights), kKeyWords,
                            values + column, d, kKeyWords, sums + column, d);
    }
    keys += words * kPanelKeys;
    values += kKeyWords * d;
  }
  for (std::int64_t i = 0; i < tile.rows; ++i) {
    const __m512 factor = _mm512_set1_ps(1.0F / seen.sum[i]);
    auto* out = static_cast<Number*>(tile.out) + i * tile.out_stride;
    for (std::int64_t j = 0; j < d; j += kLanes) {
      T::store(out + j, _mm512_mul_ps(_mm512_loadu_ps(sums + i * d + j), factor));
    }
  }
}

}  // namespace

void flash_tile_fp32(const FlashTile& tile) {
  multiplies_bf16() ? run_tile<Fp32>(tile) : flash_tile_plain_fp32(tile);
}
void flash_tile_bf16(const FlashTile& tile) {
  multiplies_bf16() ? run_tile<Bf16>(tile) : flash_tile_plain_bf16(tile);
}

#else

void flash_tile_fp32(const FlashTile& tile) { flash_tile_plain_fp32(tile); }
void flash_tile_bf16(const FlashTile& tile) { flash_tile_plain_bf16(tile); }

#endif

}  // namespace svi::wan

#undef SVI_FLASH
#undef SVI_TARGET
#undef SVI_INLINE
