#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "svi/tensor/instruction_set.hpp"

// Sixteen lanes as the compiler's own vectors: one register, or several on older processors.
// Functions here are inlined into callers that are compiled once per instruction set.
namespace svi::detail {

inline constexpr std::size_t kWidth = 16;
using Floats = float __attribute__((vector_size(64)));
using Doubles = double __attribute__((vector_size(128)));
using Words = std::uint32_t __attribute__((vector_size(64)));
using Halves = std::uint16_t __attribute__((vector_size(32)));

static_assert(std::endian::native == std::endian::little,
              "pairs of bf16 are split as on x86 and Arm");

#define SVI_INLINE __attribute__((always_inline)) inline

SVI_INLINE float value(float x) { return x; }
SVI_INLINE float value(std::uint16_t bf16) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bf16) << 16);
}

SVI_INLINE void load(const float* from, Floats& to) { std::memcpy(&to, from, sizeof to); }
SVI_INLINE void load(const std::uint16_t* from, Floats& to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words words = __builtin_convertvector(halves, Words) << 16;
  std::memcpy(&to, &words, sizeof to);
}

/// Vectors of one register each: g++ takes wider ones apart in memory, at four times the cost.
struct WideLanes {
  using Floats = svi::detail::Floats;
  using Words = svi::detail::Words;
};
struct NarrowLanes {
  using Floats = float __attribute__((vector_size(32)));
  using Words = std::uint32_t __attribute__((vector_size(32)));
};

/// Adds 32 products to sums of 32 lanes in all. bf16 comes in pairs: the low halves of words are
/// the even elements, the high halves the odd ones, so `b` holds the 16 even elements before the
/// odd ones (`arrange`).
template <class Lanes>
SVI_INLINE void multiply(const float* a, const float* b, typename Lanes::Floats* sums) {
  constexpr std::size_t kEach = sizeof(typename Lanes::Floats) / sizeof(float);
#pragma GCC unroll 4
  for (std::size_t part = 0; part < 32 / kEach; ++part) {
    typename Lanes::Floats x, y;
    std::memcpy(&x, a + part * kEach, sizeof x);
    std::memcpy(&y, b + part * kEach, sizeof y);
    sums[part] += x * y;
  }
}
template <class Lanes>
SVI_INLINE void multiply(const std::uint16_t* a, const float* b, typename Lanes::Floats* sums) {
  constexpr std::size_t kEach = sizeof(typename Lanes::Floats) / sizeof(float);
#pragma GCC unroll 2
  for (std::size_t part = 0; part < 16 / kEach; ++part) {
    typename Lanes::Words pairs;
    typename Lanes::Floats x[2], y[2];
    std::memcpy(&pairs, a + 2 * part * kEach, sizeof pairs);
    const typename Lanes::Words low = pairs << 16, high = pairs & 0xFFFF0000U;
    std::memcpy(&x[0], &low, sizeof low);
    std::memcpy(&x[1], &high, sizeof high);
    std::memcpy(&y[0], b + part * kEach, sizeof y[0]);
    std::memcpy(&y[1], b + 16 + part * kEach, sizeof y[1]);
    sums[2 * part] += x[0] * y[0];
    sums[2 * part + 1] += x[1] * y[1];
  }
}

inline constexpr std::size_t kBlock = 64;  // elements added up side by side
inline constexpr std::size_t kFlush = 64;  // additions per lane before a flush to fp64

/// One run of fp32 values as `multiply` wants it beside elements of type T: whole blocks only.
template <class T>
void arrange(float* run, std::size_t n) {
  if constexpr (sizeof(T) == sizeof(std::uint16_t)) {
    float part[32];
    for (std::size_t block = 0; block + 32 <= n / kBlock * kBlock; block += 32) {
      std::memcpy(part, run + block, sizeof part);
      for (std::size_t i = 0; i < 16; ++i) {
        run[block + i] = part[2 * i];
        run[block + 16 + i] = part[2 * i + 1];
      }
    }
  }
}

/// Inner product of a run with one that was arranged for it. Error below kFlush + 2 roundings of
/// fp32. `next`, if any, is the run of as many elements that is read after this one: memory fetches
/// it meanwhile.
template <class Lanes, class T>
SVI_INLINE double dot_body(const T* a, const float* b, std::size_t n, const T* next) {
  constexpr std::size_t kEach = sizeof(typename Lanes::Floats) / sizeof(float);
  constexpr std::size_t kSums = kBlock / kEach, kLine = 64 / sizeof(T);
  double total = 0;
  std::size_t i = 0;
  while (i + kBlock <= n) {
    typename Lanes::Floats sums[kSums] = {};
    for (std::size_t k = 0; k < kFlush && i + kBlock <= n; ++k, i += kBlock) {
      if (next != nullptr) {
        for (std::size_t ahead = 0; ahead < kBlock; ahead += kLine)
          __builtin_prefetch(next + i + ahead);
      }
      multiply<Lanes>(a + i, b + i, sums);
      multiply<Lanes>(a + i + 32, b + i + 32, sums + kSums / 2);
    }
    for (const auto& sum : sums) {
      for (std::size_t lane = 0; lane < kEach; ++lane) total += static_cast<double>(sum[lane]);
    }
  }
  for (; i < n; ++i) total += static_cast<double>(value(a[i])) * static_cast<double>(b[i]);
  return total;
}

template <class T>
SVI_INLINE double squares_body(const T* a, std::size_t n) {
  Doubles sums = {};
  std::size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    Floats x;
    load(a + i, x);
    const Doubles wide = __builtin_convertvector(x, Doubles);
    sums += wide * wide;
  }
  double total = 0;
  for (std::size_t lane = 0; lane < kWidth; ++lane) total += sums[lane];
  for (; i < n; ++i) total += static_cast<double>(value(a[i])) * static_cast<double>(value(a[i]));
  return total;
}

/// Sums of `rows` rows of one width, column by column.
template <class T>
SVI_INLINE void columns_body(const T* a, std::size_t rows, std::size_t width, float* to) {
  std::size_t i = 0;
  for (; i + kWidth <= width; i += kWidth) {
    Floats sum = {};
    for (std::size_t row = 0; row < rows; ++row) {
      Floats x;
      load(a + row * width + i, x);
      sum += x;
    }
    std::memcpy(to + i, &sum, sizeof sum);
  }
  for (; i < width; ++i) {
    to[i] = 0;
    for (std::size_t row = 0; row < rows; ++row) to[i] += value(a[row * width + i]);
  }
}

/// The loops above for one instruction set.
template <class T>
struct Kernels {
  double (*dot)(const T*, const float*, std::size_t, const T*);
  double (*squares)(const T*, std::size_t);
  void (*columns)(const T*, std::size_t, std::size_t, float*);
};

#define SVI_KERNELS(name, Lanes, attribute)                                               \
  template <class T>                                                                      \
  attribute double dot_##name(const T* a, const float* b, std::size_t n, const T* next) { \
    return dot_body<Lanes>(a, b, n, next);                                                \
  }                                                                                       \
  template <class T>                                                                      \
  attribute double squares_##name(const T* a, std::size_t n) {                            \
    return squares_body(a, n);                                                            \
  }                                                                                       \
  template <class T>                                                                      \
  attribute void columns_##name(const T* a, std::size_t rows, std::size_t w, float* to) { \
    columns_body(a, rows, w, to);                                                         \
  }

SVI_KERNELS(portable, WideLanes, )
#if defined(__x86_64__) && defined(__GNUC__)
SVI_KERNELS(avx2, NarrowLanes, __attribute__((target("avx2,fma"))))
SVI_KERNELS(avx512, WideLanes, __attribute__((target("avx512f,avx512bw,prefer-vector-width=512"))))
#endif

/// The fastest loops that this processor can run.
template <class T>
Kernels<T> kernels() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (instruction_set() == InstructionSet::avx512) {
    return {dot_avx512<T>, squares_avx512<T>, columns_avx512<T>};
  }
  if (instruction_set() == InstructionSet::avx2) {
    return {dot_avx2<T>, squares_avx2<T>, columns_avx2<T>};
  }
#endif
  return {dot_portable<T>, squares_portable<T>, columns_portable<T>};
}

#undef SVI_KERNELS
#undef SVI_INLINE

}  // namespace svi::detail
