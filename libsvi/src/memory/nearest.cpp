#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "memory/lanes_detail.hpp"
#include "memory/nearest_detail.hpp"
#include "memory/segments_detail.hpp"
#include "svi/core/check.hpp"

// Note [Nearest without stacking]
// |a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>. Norms are cached, so is a coarse sketch of each stored
// residual: <a, b> = <Pa, Pb> + <a - Pa, b - Pb> with P the projection on blocks of pixels, and by
// Cauchy-Schwarz the second part is at most the product of the fine norms. So each distance lies in
// a known interval before its residual was read, and the interval narrows segment by segment as it
// is read. Whoever's lower end lies above the smallest upper end is out; likely candidates are read
// first to bring that end down. All roundings are part of the intervals. If several survive the
// last segment, they are compared by exact differences in fp64, so that the choice is that of the
// naive fp64 search: rounding can only decide between distances that agree to about 12 digits, and
// exact ties go to the first.
//
// Where offsets count, a candidate is its errors at both ends, one after the other: g_d a + o_d,
// g_n a
// + o_n. They are not stored; inner products with them are sums of those with a and the offsets. Of
// an error without offsets nothing is cached but the fingerprint of a, which the gains scale.

namespace svi::detail {

namespace {

// Each lane adds kFlush products: relative error below (kFlush + 2) 2^-24 = 4e-6 of sum |a_i b_i|.
constexpr double kDotError = 1e-5;
// The sketch is rounded to bf16 (2^-9), its coefficients to fp32.
constexpr double kSketchError = 1.0 / 256;
constexpr double kNormError = 1e-12;
// Products below the fp32 normal range may be lost, one by one.
constexpr double kUnderflow = 1e-37;
// Below these many elements, looking at intervals costs more than reading on.
constexpr std::size_t kSmall = std::size_t{1} << 18, kTiny = std::size_t{1} << 14;
static_assert(kSegments % 4 == 0);

/// Segments of a residual of so many elements that are read at a time.
std::size_t segments_at_a_time(std::size_t elements) {
  return elements <= kTiny ? kSegments : elements < kSmall ? 4 : 1;
}
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The interval a candidate's squared distance is known to lie in.
struct Interval {
  double low, high;
};

/// The errors at both ends, [2 C, F, h, w] fp32.
at::Tensor both_ends(const BankedError& error) {
  return at::cat({error.at(ErrorEnd::data), error.at(ErrorEnd::noise)});
}

/// The fingerprint of both ends of an error without offsets, but for the sketch. A segment of it is
/// two of the residual.
Fingerprint scaled_print(const Candidate& candidate) {
  static_assert(kSegments % 2 == 0);
  const double data = candidate.error->data_gain, noise = candidate.error->noise_gain;
  Fingerprint print;
  for (std::size_t segment = 0; segment <= kSegments; ++segment) {
    const auto half = kSegments / 2;
    const auto norm = [&](const std::array<double, kSegments + 1>& of_residual) {
      return segment < half ? std::hypot(data * of_residual[2 * segment], noise * of_residual[0])
                            : std::abs(noise) * of_residual[2 * (segment - half)];
    };
    print.whole[segment] = norm(candidate.print->whole);
    print.coarse[segment] = norm(candidate.print->coarse);
    print.fine[segment] = norm(candidate.print->fine);
    const auto& begin = candidate.print->sketch_begin;
    print.sketch_begin[segment] =
        segment < half ? begin[2 * segment] : begin[kSegments] + begin[2 * (segment - half)];
  }
  return print;
}

/// How far a candidate was read.
struct Progress {
  std::size_t next = 0;                        // first segment not yet read
  double read = 0;                             // inner product over segments before `next`
  std::array<double, kSegments + 1> coarse{};  // inner product of sketches from each segment on
};

/// A search in progress.
template <class T>
class Search {
 public:
  Search(const std::vector<Candidate>& candidates, std::vector<std::size_t> alive,
         const Candidate& query)
      : candidates_(candidates),
        alive_(std::move(alive)),
        query_(query),
        ends_(query.error != nullptr),
        cut_(*query.residual, ends_ ? 2 : 1),
        // A run is of one end.
        stride_(std::min(segments_at_a_time(cut_.size()), ends_ ? kSegments / 2 : kSegments)),
        progress_(candidates.size()),
        residuals_(candidates.size()),
        sketches_(candidates.size()) {
    if (!ends_) {
      find_elements();
      return;
    }
    query_ends_ = both_ends(*query.error);
    query_print_ = query.both != nullptr ? *query.both : scaled_print(query);
    prints_.resize(candidates.size());
    for (const auto i : alive_) {
      if (candidates[i].both == nullptr) prints_[i] = scaled_print(candidates[i]);
    }
    find_elements();
  }

  std::size_t run() {
    arrange_sketch();
    for (const auto i : alive_) compare_sketches(i);
    prune();
    if (alive_.size() == 1) return alive_.front();
    arrange_query();
    finish(
        least([&](std::size_t i) { return std::abs(print(i).whole[0] - query_print().whole[0]); }));
    finish(least([&](std::size_t i) { return guess(i); }));
    prune();
    for (std::size_t segment = 0; segment < kSegments && alive_.size() > 1; segment += stride_) {
      for (std::size_t k = 0; k < alive_.size(); ++k) {
        const auto after = k + 1 < alive_.size() ? alive_[k + 1] : alive_[k];
        if (progress_[alive_[k]].next == segment) read(alive_[k], residuals_[after]);
      }
      if (segment == 0) finish(least([&](std::size_t i) { return guess(i); }));
      prune();
    }
    return alive_.size() == 1 ? alive_.front() : closest();
  }

 private:
  /// Follows the tensors of all candidates to their elements, one after the other, so that the
  /// waits for memory overlap.
  void find_elements() {
    for (const auto i : alive_) {
      residuals_[i] = elements<T>(*candidates_[i].residual);
      const bool own = !ends_ || candidates_[i].both == nullptr;
      sketches_[i] = elements<std::uint16_t>(own ? candidates_[i].print->sketch : print(i).sketch);
    }
  }

  const Fingerprint& print(std::size_t i) const {
    if (!ends_) return *candidates_[i].print;
    return candidates_[i].both != nullptr ? *candidates_[i].both : prints_[i];
  }
  const Fingerprint& query_print() const { return ends_ ? query_print_ : *query_.print; }

  static double gain(const BankedError& error, bool noise) {
    return noise ? error.noise_gain : error.data_gain;
  }

  template <class Value>
  void coarse_query(const Value* values) {
    const auto loops = kernels<Value>();
    std::vector<float> scratch(cut_.columns);
    sketch_.resize(cut_.planes * cut_.blocks_per_plane());
    for (std::size_t plane = 0; plane < cut_.planes; ++plane) {
      coarse_plane(values + plane * cut_.plane(), cut_, loops.columns, scratch.data(),
                   sketch_.data() + plane * cut_.blocks_per_plane());
    }
  }

  void arrange_sketch() {
    if (ends_) {
      coarse_query(elements<float>(query_ends_));
    } else {
      coarse_query(elements<T>(*query_.residual));
    }
    const auto& begin = query_print().sketch_begin;
    for (std::size_t segment = 0; segment < kSegments; segment += stride_) {
      arrange<std::uint16_t>(sketch_.data() + begin[segment],
                             begin[segment + stride_] - begin[segment]);
    }
  }

  void arrange_query() {
    const auto wide = ends_ ? query_ends_ : query_.residual->to(at::kFloat).contiguous();
    const float* from = wide.template const_data_ptr<float>();
    arranged_.assign(from, from + cut_.size());
    for (std::size_t segment = 0; segment < kSegments; segment += stride_) {
      arrange<T>(arranged_.data() + cut_.begin(segment),
                 cut_.begin(segment + stride_) - cut_.begin(segment));
    }
  }

  void compare_sketches(std::size_t i) {
    const auto& begin = query_print().sketch_begin;
    auto& coarse = progress_[i].coarse;
    const bool scaled = ends_ && candidates_[i].both == nullptr;
    for (std::size_t end = kSegments; end > 0; end -= stride_) {
      const auto segment = end - stride_;
      const bool noise = segment >= kSegments / 2;
      const auto first = scaled && noise ? begin[segment] - begin[kSegments / 2] : begin[segment];
      const double dot = sketch_loops_.dot(sketches_[i] + first, sketch_.data() + begin[segment],
                                           begin[end] - begin[segment], nullptr);
      coarse[segment] = coarse[end] + (scaled ? gain(*candidates_[i].error, noise) * dot : dot);
    }
  }

  /// Inner product of a run of the candidate with that of the query.
  double dot(std::size_t i, std::size_t begin, std::size_t count, const T* after) const {
    const float* query = arranged_.data() + begin;
    const bool noise = ends_ && begin >= cut_.size() / 2;
    if (noise) begin -= cut_.size() / 2;
    const auto* next = after != nullptr && count <= kTiny ? after + begin : nullptr;
    const double product = loops_.dot(residuals_[i] + begin, query, count, next);
    if (!ends_) return product;
    const auto& error = *candidates_[i].error;
    const auto& offset = noise ? error.noise_offset : error.data_offset;
    double sum = gain(error, noise) * product;
    if (offset.defined()) sum += loops_.dot(elements<T>(offset) + begin, query, count, nullptr);
    return sum;
  }

  /// At least the norm of what the inner products are made of: |g a| + |o| where that is more than
  /// |g a + o|.
  double size_of_terms(std::size_t i) const {
    const double norm = print(i).whole[0];
    if (!ends_) return norm;
    const auto& candidate = candidates_[i];
    return norm + 2 * std::hypot(candidate.error->data_gain, candidate.error->noise_gain) *
                      candidate.print->whole[0];
  }

  Interval interval(std::size_t i) const {
    const auto& progress = progress_[i];
    const auto &a = print(i), &b = query_print();
    const auto next = progress.next;
    const double dot = progress.read + progress.coarse[next];
    if (!std::isfinite(dot)) return {-kInfinity, kInfinity};
    const double squares = a.whole[0] * a.whole[0] + b.whole[0] * b.whole[0];
    const double unread =
        a.fine[next] * b.fine[next] + kSketchError * a.coarse[next] * b.coarse[next];
    const double slack = 2 * kDotError * size_of_terms(i) * b.whole[0] + kNormError * squares +
                         kUnderflow * static_cast<double>(cut_.size());
    return {squares - 2 * (dot + unread) - slack, squares - 2 * (dot - unread) + slack};
  }

  /// Drops who cannot be the nearest any more.
  void prune() {
    lows_.clear();
    for (const auto i : alive_) {
      const auto known = interval(i);
      limit_ = std::min(limit_, known.high);
      lows_.push_back(known.low);
    }
    std::size_t kept = 0;
    for (std::size_t k = 0; k < alive_.size(); ++k) {
      if (lows_[k] <= limit_) alive_[kept++] = alive_[k];
    }
    alive_.resize(kept);
  }

  /// Reads on in candidate i; `after` are the elements of the one that comes next.
  void read(std::size_t i, const T* after = nullptr) {
    auto& progress = progress_[i];
    const auto begin = cut_.begin(progress.next);
    progress.next += stride_;
    progress.read += dot(i, begin, cut_.begin(progress.next) - begin, after);
  }

  void finish(std::size_t i) {
    while (progress_[i].next < kSegments) read(i);
  }

  /// Squared distance, but for what all share, if the unread fine part were like the read one.
  double guess(std::size_t i) const {
    const auto& progress = progress_[i];
    double fine = progress.read - (progress.coarse[0] - progress.coarse[progress.next]);
    if (progress.next > 0)
      fine *= static_cast<double>(kSegments) / static_cast<double>(progress.next);
    return print(i).whole[0] * print(i).whole[0] - 2 * (progress.coarse[0] + fine);
  }

  template <class Value>
  std::size_t least(Value value_of) const {
    return *std::min_element(alive_.begin(), alive_.end(), [&](std::size_t i, std::size_t j) {
      return value_of(i) < value_of(j);
    });
  }

  double distance(std::size_t i) const {
    if (!ends_)
      return distance(elements<T>(*candidates_[i].residual), elements<T>(*query_.residual));
    const auto candidate = both_ends(*candidates_[i].error);
    return distance(elements<float>(candidate), elements<float>(query_ends_));
  }

  template <class Value>
  double distance(const Value* a, const Value* b) const {
    constexpr std::size_t kWays = 8;
    const auto difference = [&](std::size_t k) {
      return static_cast<double>(value(a[k])) - static_cast<double>(value(b[k]));
    };
    double sums[kWays] = {};
    std::size_t k = 0;
    for (; k + kWays <= cut_.size(); k += kWays) {
      for (std::size_t way = 0; way < kWays; ++way)
        sums[way] += difference(k + way) * difference(k + way);
    }
    double total = 0;
    for (const double sum : sums) total += sum;
    for (; k < cut_.size(); ++k) total += difference(k) * difference(k);
    return total;
  }

  std::size_t closest() const {
    auto best = alive_.front();
    double smallest = kInfinity;
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
  bool ends_;              // the errors at both ends are compared, not the residuals
  at::Tensor query_ends_;  // [2 C, F, h, w]  of the query, if so
  Fingerprint query_print_;
  std::vector<Fingerprint> prints_;  // of candidates without offsets
  Segments cut_;
  std::size_t stride_;  // segments read at a time
  std::vector<double> lows_;
  std::vector<Progress> progress_;
  std::vector<const T*> residuals_;             // of candidates alive at the beginning
  std::vector<const std::uint16_t*> sketches_;  // of the same
  std::vector<float> arranged_, sketch_;  // the query and its coarse part, ready for `multiply`
  double limit_ = kInfinity;              // the smallest squared distance is at most this
  Kernels<T> loops_ = kernels<T>();
  Kernels<std::uint16_t> sketch_loops_ = kernels<std::uint16_t>();
};

}  // namespace

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
