#include <ATen/ATen.h>

#include <bit>
#include <cmath>
#include <limits>

#include "memory/nearest_detail.hpp"
#include "svi/core/check.hpp"

// Note [Nearest without stacking]
// |a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>. Norms are cached; the inner product is summed segment by
// segment, every candidate's first segment before anyone's second, in fp32 lanes that are flushed
// to fp64. By Cauchy-Schwarz the part not yet read is at most |a_tail| |b_tail|, so each
// candidate's distance lies in a known interval at any time, rounding included; whoever's lower end
// lies above the smallest upper end is out. If several survive the last segment, they are compared
// by exact differences in fp64, so that the choice is that of the naive fp64 search: rounding can
// only decide between distances that agree to about 13 digits, and exact ties go to the first.

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

template <class T>
__attribute__((always_inline)) inline double dot_body(const T* a, const float* b, std::size_t n) {
  double total = 0;
  std::size_t i = 0;
  while (i + kLanes <= n) {
    float sums[kLanes] = {};
    for (std::size_t k = 0; k < kFlush && i + kLanes <= n; ++k, i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        sums[lane] += value(a[i + lane]) * b[i + lane];
    }
    double flushed = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) flushed += static_cast<double>(sums[lane]);
    total += flushed;
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

template <class T>
std::size_t search(const std::vector<Candidate>& candidates, std::vector<std::size_t> alive,
                   const Candidate& query) {
  const auto n = static_cast<std::size_t>(query.residual->numel());
  const auto wide = query.residual->to(at::kFloat).contiguous();
  const float* b = wide.const_data_ptr<float>();
  const auto dot = best_dot<T>();
  std::vector<double> dots(candidates.size(), 0.0);
  for (std::size_t segment = 0; segment <= kSegments && alive.size() > 1; ++segment) {
    double best = std::numeric_limits<double>::infinity();
    for (const auto i : alive) {
      const auto range =
          bounds(*candidates[i].norms, *query.norms, dots[i], segment, static_cast<double>(n));
      best = std::min(best, range.high);
    }
    std::erase_if(alive, [&](std::size_t i) {
      return bounds(*candidates[i].norms, *query.norms, dots[i], segment, static_cast<double>(n))
                 .low > best;
    });
    if (segment == kSegments || alive.size() == 1) break;
    const auto begin = segment_begin(segment, n);
    const auto end = segment_begin(segment + 1, n);
    for (const auto i : alive) {
      dots[i] += dot(elements<T>(*candidates[i].residual) + begin, b + begin, end - begin);
    }
  }
  auto best = alive.front();
  if (alive.size() == 1) return best;
  double smallest = std::numeric_limits<double>::infinity();
  for (const auto i : alive) {
    const double distance =
        squared_distance(elements<T>(*candidates[i].residual), elements<T>(*query.residual), n);
    if (distance < smallest) {
      smallest = distance;
      best = i;
    }
  }
  return best;
}

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
             ? search<std::uint16_t>(candidates, std::move(alive), query)
             : search<float>(candidates, std::move(alive), query);
}

}  // namespace svi::detail
