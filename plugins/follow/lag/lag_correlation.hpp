#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <vector>

namespace svi::follow {

/// By how many frames a series is late, and how sure that is.
struct Lag {
  std::int64_t frames = 0;  // above 0: late
  double confidence = 0;    // highest correlation less the median over lags, 0 to 2
};

/// The correlation of a series with the true one at every lag of up to `longest` frames:
/// at lag k that of shown[t] with truth[t - k], over all t for which both are known. Vectors are
/// correlated as a whole: sums run over frames and elements, means are those of each element. What
/// never changes counts nothing, so that a still picture, or a series without truth, has
/// correlation 0.
///
/// Its memory holds `longest` frames of both; it does not grow with the film.
class LagCorrelation {
 public:
  /// Lags with fewer than `least` frames in common are left out.
  explicit LagCorrelation(std::int64_t longest, std::int64_t least = 12);

  /// The next frame, [P] each; P is that of the first.
  void add(const at::Tensor& shown, const at::Tensor& truth);
  /// [2 longest + 1], from lag -longest on; NaN where too few frames are in common.
  std::vector<double> correlations() const;
  /// Of the frames so far. NaN confidence where no lag or only one has enough frames, or where no
  /// correlation is above 0; then `frames` means nothing. The shorter of two equal lags wins.
  Lag lag() const;

 private:
  struct Sums {
    std::int64_t count = 0;
    at::Tensor shown, truth, squares_shown, squares_truth, products;  // [P] fp64
  };
  void pair(Sums& sums, const at::Tensor& shown, const at::Tensor& truth) const;

  std::int64_t longest_, least_;
  std::vector<Sums> sums_;                // of each lag, from -longest on
  std::deque<at::Tensor> shown_, truth_;  // the last `longest`, the newest first
};

}  // namespace svi::follow
