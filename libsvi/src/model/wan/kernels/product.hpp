#pragma once

#include <cstdint>

#include "svi/core/export.hpp"

// Matrix products of operands stored in 8, 16 or 32 bits, multiplied and added up in fp32: blocks
// are widened in cache, so that weights of 16 bits cost memory for 16 bits and time as in fp32.
namespace svi::wan {

/// A matrix in fp32, as the inner loops take it: rows of consecutive numbers, `stride` apart.
struct Fp32Rows {
  const float* data;
  long stride;
};

/// How an operand's numbers are stored.
enum class Stored { fp32, bf16, fp16, fp8_e4m3, fp8_e5m2, int8 };

/// One operand: `lines` vectors of `length` numbers; number i of line j lies at
/// data[j * line + i * number], and one of the two strides is 1.
struct Lines {
  const void* data;
  Stored stored;
  std::int64_t lines, length;
  std::int64_t line, number;
  const float* scale = nullptr;  // [lines, groups], for equal parts of each line; of w, number = 1
  std::int64_t groups = 0;
};

/// Where the result goes, and what is done with it on the way.
struct ProductResult {
  void* data;     // [x.lines, w.lines]
  Stored stored;  // fp32 or bf16
  std::int64_t stride;
  const float* bias = nullptr;  // [w.lines]
  bool add = false;             // to what is there, instead of a bias
  bool gelu = false;            // in its tanh form, last
};

/// result[i, j] = the inner product of line i of x and line j of w. Each is added up in the same
/// order whatever the number of threads.
SVI_EXPORT void product(const Lines& x, const Lines& w, const ProductResult& result);

}  // namespace svi::wan
