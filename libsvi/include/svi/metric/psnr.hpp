#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Highest value psnr() gives: that of equal pictures.
inline constexpr double kPsnrCeiling = 100.0;

/// Peak signal-to-noise ratio in dB of two tensors of equal sizes over all their elements: uint8
/// with peak 255, or floating with peak 1. Mean squared errors below 1e-10 of the peak's square
/// give kPsnrCeiling.
SVI_EXPORT double psnr(const at::Tensor& a, const at::Tensor& b);

/// psnr() of each frame of two videos [3, T, H, W].
SVI_EXPORT std::vector<double> psnr_frames(const at::Tensor& a, const at::Tensor& b);

/// `psnr`: each frame against the scene's truth; a clip's value is the mean over its frames.
class SVI_EXPORT PsnrMetric final : public Metric {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };

  explicit PsnrMetric(Config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;
};

}  // namespace svi
