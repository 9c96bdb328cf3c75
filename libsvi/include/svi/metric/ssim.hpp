#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Structural similarity (Wang et al. 2004) of two pictures [3, H, W], uint8 or floating in [0, 1],
/// both sides >= 11: Gaussian window 11 x 11 of sigma 1.5, valid region, moments in fp64, mean over
/// channels.
SVI_EXPORT double ssim(const at::Tensor& a, const at::Tensor& b);

/// The variant on luma: Y = .299 R + .587 G + .114 B on 0..255 rounded to whole numbers, and a
/// contrast term that is never below 0, as MATLAB-compatible toolboxes compute it.
SVI_EXPORT double ssim_y(const at::Tensor& a, const at::Tensor& b);

/// `ssim` and `ssim_y`: each frame against the scene's truth; a clip's value is the mean over its
/// frames.
class SVI_EXPORT SsimMetric final : public Metric {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };

  explicit SsimMetric(Config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;
};

}  // namespace svi
