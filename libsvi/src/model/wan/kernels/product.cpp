#include "model/wan/kernels/product.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "model/wan/kernels/kernels.hpp"
#include "model/wan/kernels/row_kernels.hpp"
#include "svi/tensor/instruction_set.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::wan {
namespace {

#define SVI_KERNEL_FILE "model/wan/kernels/product_kernel.inc"
#define SVI_KERNEL_ROWS_AVX512 14
namespace product_sets {  // files are compiled together: each has sets of its own
#include "model/wan/kernels/instruction_sets.inc"
}  // namespace product_sets
#undef SVI_KERNEL_FILE
#undef SVI_KERNEL_ROWS_AVX512

/// Reads lines of one storage as they are, or turned.
using Read = void (*)(const void*, long, long, long, const float*, float*, long);

constexpr int kStorages = 6;

struct ProductLoops {
  std::int64_t rows, columns;  // of a block of the product
  Read copy[kStorages], turn[kStorages];
  void (*multiply)(Fp32Rows, const float*, Fp32Rows, float*, long, long, long);
};

#define SVI_PRODUCT_KERNEL(set)                                                                     \
  ProductLoops {                                                                                    \
    set::kRows, set::kColumns, {set::copy_lines<set::Fp32>,    set::copy_lines<set::Bf16>,          \
                                set::copy_lines<set::Fp16>,    set::copy_lines<set::Fp8E4M3>,       \
                                set::copy_lines<set::Fp8E5M2>, set::copy_lines<set::Int8>},         \
        {set::turn_lines<set::Fp32>,    set::turn_lines<set::Bf16>,    set::turn_lines<set::Fp16>,  \
         set::turn_lines<set::Fp8E4M3>, set::turn_lines<set::Fp8E5M2>, set::turn_lines<set::Int8>}, \
        set::multiply                                                                               \
  }

const ProductLoops& product_loops() {
  static const ProductLoops chosen = [] {
#ifdef SVI_WIDE_KERNELS
    if (instruction_set() == InstructionSet::avx512)
      return SVI_PRODUCT_KERNEL(product_sets::avx512);
    if (instruction_set() == InstructionSet::avx2) return SVI_PRODUCT_KERNEL(product_sets::avx2);
#endif
    return SVI_PRODUCT_KERNEL(product_sets::baseline);
  }();
  return chosen;
}

constexpr std::int64_t kDepth = 256;      // numbers of a line that are in cache at a time
constexpr std::int64_t kRowBlock = 84;    // lines of x that are: a multiple of 6 and of 14
constexpr std::int64_t kMostRows = 1008;  // of a task
constexpr std::int64_t kMostColumns = 512;
constexpr std::int64_t kPitch = kDepth + 16;  // rows apart, so that they fall on other cache sets

std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }
std::int64_t whole_parts(std::int64_t value, std::int64_t step) {
  return parts(value, step) * step;
}

std::int64_t bytes_of(Stored stored) {
  return stored == Stored::fp32 ? 4 : stored == Stored::bf16 || stored == Stored::fp16 ? 2 : 1;
}

const void* at_number(const Lines& x, std::int64_t line, std::int64_t number) {
  return static_cast<const char*>(x.data) +
         (line * x.line + number * x.number) * bytes_of(x.stored);
}

float* mutable_row(const ProductResult& result, std::int64_t row, std::int64_t column) {
  return static_cast<float*>(result.data) + row * result.stride + column;
}

struct Free {
  void operator()(float* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float[], Free>;
Floats floats(std::int64_t count) {
  return Floats(static_cast<float*>(
      std::aligned_alloc(64, static_cast<std::size_t>(whole_parts(count, 16)) * sizeof(float))));
}

/// Numbers [first, first + count) of some lines: either way round.
void read(const Lines& from, std::int64_t line, std::int64_t lines, std::int64_t first,
          std::int64_t count, bool turned, float* to, std::int64_t to_stride) {
  const auto storage = static_cast<int>(from.stored);
  const auto* data = at_number(from, line, first);
  if (from.number == 1) {
    (turned ? product_loops().turn : product_loops().copy)[storage](data, from.line, lines, count,
                                                                    nullptr, to, to_stride);
  } else {  // what lies side by side are the lines
    (turned ? product_loops().copy : product_loops().turn)[storage](data, from.number, count, lines,
                                                                    nullptr, to, to_stride);
  }
}

/// The product of some lines of x with some of w.
class Task {
 public:
  Task(const Lines& x, const Lines& w, const ProductResult& result, std::int64_t rows,
       std::int64_t columns)
      : x_(x),
        w_(w),
        result_(result),
        direct_(result.stored == Stored::fp32),
        width_(whole_parts(columns, product_loops().columns)),
        panels_(floats(width_ * kDepth)),
        block_(floats(kRowBlock * kPitch)),
        edge_(floats(kRowBlock * product_loops().columns)),
        start_(floats(width_)),
        sums_(direct_ ? nullptr : floats(rows * width_)) {}

  void run(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
    row_ = row;
    column_ = column;
    columns_ = columns;
    std::fill_n(start_.get(), width_, 0.0F);
    if (result_.bias != nullptr) std::copy_n(result_.bias + column, columns, start_.get());
    const auto K = x_.length, chunks = std::max<std::int64_t>(1, parts(K, kDepth));
    const auto depth = whole_parts(parts(K, chunks), 8);
    for (std::int64_t first = 0; first == 0 || first < K; first += depth) {
      const auto count = std::min(depth, K - first);
      read_panels(first, count);
      for (std::int64_t i = 0; i < rows; i += kRowBlock) {
        const auto height = std::min(kRowBlock, rows - i);
        read(x_, row + i, height, first, count, false, block_.get(), kPitch);
        multiply(i, height, count, first == 0);
        if (first + depth >= K) finish(i, height);
      }
    }
  }

 private:
  void read_panels(std::int64_t first, std::int64_t count) {
    const auto step = product_loops().columns;
    for (std::int64_t j = 0; j < columns_; j += step) {
      const auto lines = std::min(step, columns_ - j);
      auto* panel = panels_.get() + j * kDepth;
      if (lines < step) std::fill_n(panel, step * count, 0.0F);
      if (w_.scale == nullptr) {
        read(w_, column_ + j, lines, first, count, true, panel, step);
      } else {
        read_scaled(column_ + j, lines, first, count, panel);
      }
    }
  }

  // Part by part of the lines' groups, each with its scale.
  void read_scaled(std::int64_t line, std::int64_t lines, std::int64_t first, std::int64_t count,
                   float* panel) {
    const auto group = w_.length / w_.groups;
    float scales[64];
    for (auto i = first; i < first + count;) {
      const auto g = i / group, end = std::min((g + 1) * group, first + count);
      for (std::int64_t j = 0; j < lines; ++j) scales[j] = w_.scale[(line + j) * w_.groups + g];
      product_loops().turn[static_cast<int>(w_.stored)](
          at_number(w_, line, i), w_.line, lines, end - i, scales,
          panel + (i - first) * product_loops().columns, product_loops().columns);
      i = end;
    }
  }

  float* sums(std::int64_t i, std::int64_t j) const {
    return direct_ ? mutable_row(result_, row_ + i, column_ + j) : sums_.get() + i * width_ + j;
  }
  std::int64_t stride() const { return direct_ ? result_.stride : width_; }

  void multiply(std::int64_t i, std::int64_t height, std::int64_t count, bool first) {
    const auto step = product_loops().columns;
    const bool start = first && !result_.add;
    if (first && result_.add && !direct_) widen_result(i, height);
    for (std::int64_t j = 0; j < columns_; j += step) {
      const auto* panel = panels_.get() + j * kDepth;
      float* to = sums(i, j);
      if (direct_ && columns_ - j < step) {
        multiply_edge(i, j, height, count, start);
      } else {
        const auto from = start ? Fp32Rows{start_.get() + j, 0} : Fp32Rows{to, stride()};
        product_loops().multiply({block_.get(), kPitch}, panel, from, to, stride(), height, count);
      }
    }
  }

  // The last columns of a result that has no room for a whole block of them.
  void multiply_edge(std::int64_t i, std::int64_t j, std::int64_t height, std::int64_t count,
                     bool start) {
    const auto step = product_loops().columns, width = columns_ - j;
    auto* edge = edge_.get();
    for (std::int64_t r = 0; r < height; ++r) {
      const auto* from = start ? start_.get() + j : sums(i + r, j);
      std::copy_n(from, width, edge + r * step);
      std::fill(edge + r * step + width, edge + (r + 1) * step, 0.0F);
    }
    product_loops().multiply({block_.get(), kPitch}, panels_.get() + j * kDepth, {edge, step}, edge,
                             step, height, count);
    for (std::int64_t r = 0; r < height; ++r) std::copy_n(edge + r * step, width, sums(i + r, j));
  }

  Bf16Bits* narrow_row(std::int64_t i) const {
    return static_cast<Bf16Bits*>(result_.data) + (row_ + i) * result_.stride + column_;
  }

  void widen_result(std::int64_t i, std::int64_t height) {
    for (std::int64_t r = i; r < i + height; ++r) widen(narrow_row(r), columns_, sums(r, 0));
  }

  void finish(std::int64_t i, std::int64_t height) {
    if (direct_ && !result_.gelu) return;
    for (std::int64_t r = i; r < i + height; ++r) {
      if (result_.gelu) gelu(sums(r, 0), columns_, sums(r, 0));
      if (!direct_) narrow(sums(r, 0), columns_, 1, narrow_row(r));
    }
  }

  const Lines& x_;
  const Lines& w_;
  const ProductResult& result_;
  bool direct_;  // sums are added up where they belong
  std::int64_t row_ = 0, column_ = 0, columns_ = 0;
  std::int64_t width_;
  Floats panels_;  // [columns / step][depth][step] of w
  Floats block_;   // [kRowBlock][kPitch] of x
  Floats edge_;    // [kRowBlock][step]
  Floats start_;   // [width]
  Floats sums_;    // [rows][width] where not direct
};

/// How the result is cut into tasks.
struct Cut {
  std::int64_t rows, columns;  // of a task, at most
  std::int64_t down, across;   // how many of them
};

Cut cut(std::int64_t M, std::int64_t N) {
  const auto threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  const auto step = product_loops().columns;
  constexpr std::int64_t kFewestColumns = 64, kFewestRows = 84;
  auto down = parts(M, kMostRows), across = parts(N, kMostColumns);
  // Tasks are dealt out in equal numbers.
  while (down * across % threads != 0 && N / (across + 1) >= kFewestColumns) ++across;
  while (down * across % threads != 0 && M / (down + 1) >= kFewestRows) ++down;
  Cut made;
  made.rows = whole_parts(parts(M, down), product_loops().rows);
  made.columns = whole_parts(parts(N, across), step);
  made.down = parts(M, made.rows);
  made.across = parts(N, made.columns);
  return made;
}

}  // namespace

void product(const Lines& x, const Lines& w, const ProductResult& result) {
  const auto M = x.lines, N = w.lines;
  if (M == 0 || N == 0) return;
  const auto sizes = cut(M, N);
  parallel_for(0, sizes.down * sizes.across, 1, [&](std::int64_t begin, std::int64_t end) {
    Task task(x, w, result, sizes.rows, sizes.columns);
    for (auto i = begin; i < end; ++i) {
      const auto row = i % sizes.down * sizes.rows, column = i / sizes.down * sizes.columns;
      task.run(row, std::min(sizes.rows, M - row), column, std::min(sizes.columns, N - column));
    }
  });
}

}  // namespace svi::wan

#undef SVI_WIDE_KERNELS
#undef SVI_PRODUCT_KERNEL
