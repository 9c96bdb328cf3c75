#include <ATen/ATen.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "memory/nearest_detail.hpp"
#include "svi/core/check.hpp"

// Note [Nearest without stacking]
// |a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>. Norms are cached; the inner product is summed segment by
// segment, every candidate's first segment before anyone's second, in fp32 lanes that are flushed
// to fp64. By Cauchy-Schwarz the part not yet read is at most |a_tail| |b_tail|, so each
// candidate's distance lies in a known interval at any time, rounding included; whoever's lower end
// lies above the smallest upper end is out, and two candidates that look near are measured in full
// early on to bring that end down. If several survive the last segment, they are compared by exact
// differences in fp64, so that the choice is that of the naive fp64 search: rounding can only
// decide between distances that agree to about 13 digits, and exact ties go to the first.

namespace svi::detail {

namespace {

constexpr std::size_t kLanes = 64;  // independent sums
constexpr std::size_t kFlush = 64;  // additions per lane before a flush to fp64
// Each lane adds kFlush products: relative error below (kFlush + 2) 2^-24 = 4e-6 of sum |a_i b_i|.
constexpr double kDotError = 1e-5;
constexpr double kNormError = 1e-12;
// Products below the fp32 normal range may be lost, one by one.
constexpr double kUnderflow = 1e-37;

inline float value(float x) { return x; }
inline float value(std::uint16_t x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

// Sixteen lanes as the compiler's own vectors: one register, or several on older processors.
using Floats = float __attribute__((vector_size(64)));
using Words = std::uint32_t __attribute__((vector_size(64)));

// How 32 elements meet the query. bf16 comes in pairs: the low halves of 16 words are the even
// elements, the high halves the odd ones, so `arranged` has put the query's even elements before
// its odd ones.
__attribute__((always_inline)) inline void multiply(const float* a, const float* b, Floats& even,
                                                    Floats& odd) {
  Floats x[2], y[2];
  std::memcpy(x, a, sizeof x);
  std::memcpy(y, b, sizeof y);
  even += x[0] * y[0];
  odd += x[1] * y[1];
}
__attribute__((always_inline)) inline void multiply(const std::uint16_t* a, const float* b,
                                                    Floats& even, Floats& odd) {
  Words pairs, low, high;
  Floats x[2], y[2];
  std::memcpy(&pairs, a, sizeof pairs);
  low = pairs << 16;
  high = pairs & 0xFFFF0000U;
  std::memcpy(&x[0], &low, sizeof low);
  std::memcpy(&x[1], &high, sizeof high);
  std::memcpy(y, b, sizeof y);
  even += x[0] * y[0];
  odd += x[1] * y[1];
}

/// The query in fp32, ready for `multiply` in all whole blocks of kLanes elements.
std::vector<float> arranged(const at::Tensor& query) {
  const auto wide = query.to(at::kFloat).contiguous();
  const auto n = static_cast<std::size_t>(wide.numel());
  const float* from = wide.const_data_ptr<float>();
  std::vector<float> to(from, from + n);
  if (query.scalar_type() != at::kBFloat16) return to;
  for (std::size_t block = 0; block + 32 <= n / kLanes * kLanes; block += 32) {
    for (std::size_t i = 0; i < 16; ++i) {
      to[block + i] = from[block + 2 * i];
      to[block + 16 + i] = from[block + 2 * i + 1];
    }
  }
  return to;
}

template <class T>
__attribute__((always_inline)) inline double dot_body(const T* a, const float* b, std::size_t n) {
  constexpr std::size_t kWidth = sizeof(Floats) / sizeof(float);
  static_assert(kLanes == 4 * kWidth);
  static_assert(std::endian::native == std::endian::little,
                "pairs of bf16 are split as on x86 and Arm");
  double total = 0;
  std::size_t i = 0;
  while (i + kLanes <= n) {
    Floats sums[4] = {};
    for (std::size_t k = 0; k < kFlush && i + kLanes <= n; ++k, i += kLanes) {
      multiply(a + i, b + i, sums[0], sums[1]);
      multiply(a + i + 32, b + i + 32, sums[2], sums[3]);
    }
    for (const auto& sum : sums) {
      for (std::size_t lane = 0; lane < kWidth; ++lane) total += static_cast<double>(sum[lane]);
    }
  }
  for (; i < n; ++i) total += static_cast<double>(value(a[i])) * static_cast<double>(b[i]);
  return total;
}

template <class T>
double dot_portable(const T* a, const float* b, std::size_t n) {
  return dot_body(a, b, n);
}

#if defined(__x86_64__) && defined(__GNUC__)
template <class T>
__attribute__((target("avx512f,prefer-vector-width=512"))) double dot_avx512(const T* a,
                                                                             const float* b,
                                                                             std::size_t n) {
  return dot_body(a, b, n);
}
template <class T>
__attribute__((target("avx2,fma"))) double dot_avx2(const T* a, const float* b, std::size_t n) {
  return dot_body(a, b, n);
}
#endif

template <class T>
using Dot = double (*)(const T*, const float*, std::size_t);

template <class T>
Dot<T> best_dot() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx512f")) return dot_avx512<T>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return dot_avx2<T>;
#endif
  return dot_portable<T>;
}

std::size_t segment_begin(std::size_t segment, std::size_t n) {
  return std::min((n * segment / kSegments + kLanes - 1) / kLanes * kLanes, n);
}

template <class T>
double squared_distance(const T* a, const T* b, std::size_t n) {
  constexpr std::size_t kWays = 8;
  double sums[kWays] = {};
  std::size_t i = 0;
  for (; i + kWays <= n; i += kWays) {
    for (std::size_t k = 0; k < kWays; ++k) {
      const double d = static_cast<double>(value(a[i + k])) - static_cast<double>(value(b[i + k]));
      sums[k] += d * d;
    }
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  for (; i < n; ++i) {
    const double d = static_cast<double>(value(a[i])) - static_cast<double>(value(b[i]));
    total += d * d;
  }
  return total;
}

template <class T>
const T* elements(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

/// The interval a candidate's squared distance is known to lie in.
struct Bounds {
  double low, high;
};

Bounds bounds(const TailNorms& a, const TailNorms& b, double dot, std::size_t next, double count) {
  if (!std::isfinite(dot)) {
    return {-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  }
  const double squares = a.tail[0] * a.tail[0] + b.tail[0] * b.tail[0];
  const double unread = a.tail[next] * b.tail[next];
  const double slack =
      2 * kDotError * a.tail[0] * b.tail[0] + kNormError * squares + kUnderflow * count;
  return {squares - 2 * (dot + unread) - slack, squares - 2 * (dot - unread) + slack};
}

/// A search in progress.
template <class T>
class Search {
 public:
  Search(const std::vector<Candidate>& candidates, std::vector<std::size_t> alive,
         const Candidate& query)
      : candidates_(candidates),
        alive_(std::move(alive)),
        query_(query),
        arranged_(arranged(*query.residual)),
        size_(static_cast<std::size_t>(query.residual->numel())),
        dots_(candidates.size(), 0.0) {}

  std::size_t run() {
    const double norm = query_.norms->tail[0];
    measure(*std::min_element(alive_.begin(), alive_.end(), [&](std::size_t i, std::size_t j) {
      return std::abs(candidates_[i].norms->tail[0] - norm) <
             std::abs(candidates_[j].norms->tail[0] - norm);
    }));
    for (std::size_t segment = 0; segment < kSegments; ++segment) {
      prune(segment);
      if (alive_.size() == 1) return alive_.front();
      read(segment);
      if (segment == 0) measure(most_promising());
    }
    prune(kSegments);
    return alive_.size() == 1 ? alive_.front() : closest();
  }

 private:
  Bounds range(std::size_t i, std::size_t next) const {
    return bounds(*candidates_[i].norms, *query_.norms, dots_[i], next, static_cast<double>(size_));
  }

  /// Drops who cannot be the nearest any more, `next` being the first segment not yet read.
  void prune(std::size_t next) {
    for (const auto i : alive_) limit_ = std::min(limit_, range(i, next).high);
    std::erase_if(alive_, [&](std::size_t i) { return range(i, next).low > limit_; });
  }

  void read(std::size_t segment) {
    const auto begin = segment_begin(segment, size_);
    const auto length = segment_begin(segment + 1, size_) - begin;
    for (const auto i : alive_) {
      dots_[i] +=
          dot_(elements<T>(*candidates_[i].residual) + begin, arranged_.data() + begin, length);
    }
  }

  double distance(std::size_t i) const {
    return squared_distance(elements<T>(*candidates_[i].residual), elements<T>(*query_.residual),
                            size_);
  }

  /// The nearest is not farther than this candidate.
  void measure(std::size_t i) { limit_ = std::min(limit_, distance(i) * (1 + kNormError)); }

  /// Who would be the nearest if all segments were like the first.
  std::size_t most_promising() const {
    const auto guess = [&](std::size_t i) {
      const double norm = candidates_[i].norms->tail[0];
      return norm * norm - 2 * static_cast<double>(kSegments) * dots_[i];
    };
    return *std::min_element(alive_.begin(), alive_.end(),
                             [&](std::size_t i, std::size_t j) { return guess(i) < guess(j); });
  }

  std::size_t closest() const {
    auto best = alive_.front();
    double smallest = std::numeric_limits<double>::infinity();
    for (const auto i : alive_) {
      const double found = distance(i);
      if (found < smallest) {
        smallest = found;
        best = i;
      }
    }
    return best;
  }

  const std::vector<Candidate>& candidates_;
  std::vector<std::size_t> alive_;
  const Candidate& query_;
  std::vector<float> arranged_;  // the query in fp32
  std::size_t size_;
  std::vector<double> dots_;                                // with the segments read so far
  double limit_ = std::numeric_limits<double>::infinity();  // on the smallest squared distance
  Dot<T> dot_ = best_dot<T>();
};

template <class T>
TailNorms tail_norms_of(const T* a, std::size_t n) {
  TailNorms result;
  double sum = 0;
  for (std::size_t segment = kSegments; segment-- > 0;) {
    const auto begin = segment_begin(segment, n);
    const auto end = segment_begin(segment + 1, n);
    double sums[8] = {};
    std::size_t i = begin;
    for (; i + 8 <= end; i += 8) {
      for (std::size_t k = 0; k < 8; ++k) {
        const double x = static_cast<double>(value(a[i + k]));
        sums[k] += x * x;
      }
    }
    for (const double part : sums) sum += part;
    for (; i < end; ++i) {
      const double x = static_cast<double>(value(a[i]));
      sum += x * x;
    }
    result.tail[segment] = std::sqrt(sum);
  }
  return result;
}

}  // namespace

TailNorms tail_norms(const at::Tensor& residual) {
  const auto n = static_cast<std::size_t>(residual.numel());
  return residual.scalar_type() == at::kBFloat16
             ? tail_norms_of(elements<std::uint16_t>(residual), n)
             : tail_norms_of(elements<float>(residual), n);
}

std::size_t nearest(const std::vector<Candidate>& candidates, const Candidate& query) {
  SVI_CHECK(!candidates.empty(), "no candidate to compare with");
  std::vector<std::size_t> alive;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].residual->sizes() == query.residual->sizes()) alive.push_back(i);
  }
  if (alive.empty()) return 0;
  return query.residual->scalar_type() == at::kBFloat16
             ? Search<std::uint16_t>(candidates, std::move(alive), query).run()
             : Search<float>(candidates, std::move(alive), query).run();
}

}  // namespace svi::detail
