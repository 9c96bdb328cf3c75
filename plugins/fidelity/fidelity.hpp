#pragma once

#include <ATen/ATen.h>

#include <limits>
#include <svi/metric/metric.hpp>
#include <svi/plugin/registry.hpp>
#include <vector>

namespace fidelity {

void register_lpips(svi::Registrar& registrar);
void register_mawe(svi::Registrar& registrar);
void register_ms_ssim(svi::Registrar& registrar);

inline constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// Compares each frame with the truth's: `values` of a pair [3, H, W] has one number for each of
/// the metric's quantities. A clip's number is the mean over its frames; undefined without truth.
class PairSession : public svi::MetricSession {
 public:
  explicit PairSession(std::size_t quantities) : quantities_(quantities) {}

  void add(const svi::ClipView& clip, svi::MetricSink& sink) final {
    if (!clip.truth.defined()) {
      for (std::size_t q = 0; q < quantities_; ++q) sink.clip(q, kUndefined);
      return;
    }
    std::vector<std::vector<double>> frames(quantities_);
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      const auto values = compare(clip.frames.select(1, t), clip.truth.select(1, t));
      for (std::size_t q = 0; q < quantities_; ++q) frames[q].push_back(values.at(q));
    }
    for (std::size_t q = 0; q < quantities_; ++q) {
      double sum = 0;
      for (const double value : frames[q]) sum += value;
      sink.clip(q, sum / static_cast<double>(frames[q].size()));
      sink.frames(q, frames[q]);
    }
  }

 private:
  virtual std::vector<double> compare(const at::Tensor& frame, const at::Tensor& truth) = 0;

  std::size_t quantities_;
};

}  // namespace fidelity
