#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Under which window SSIM takes its moments, and where.
enum class SsimVariant {
  wang,      // Gaussian of sigma 1.5, 11 x 11, wherever it fits (Wang et al. 2004)
  repeated,  // the same around every pixel, the picture's edges repeated outwards
  skimage,   // all pixels of 7 x 7 alike, wherever they fit; variances over N - 1
};
/// "wang", "repeated", "skimage".
SVI_EXPORT std::vector<std::string> enum_names(SsimVariant);

/// Means over places, [N] fp64 each: of SSIM, and of its contrast-structure term alone.
struct SsimTerms {
  at::Tensor whole, contrast;  // [N]
};
/// SsimTerms of two stacks of planes [N, H, W] in fp64 whose values span `range`. With
/// `clamp_contrast` the contrast-structure term is at least 0 at every place. Throws Error where
/// the window fits nowhere.
SVI_EXPORT SsimTerms ssim_terms(const at::Tensor& a, const at::Tensor& b, double range,
                                SsimVariant variant = SsimVariant::wang,
                                bool clamp_contrast = false);

/// Structural similarity (Wang et al. 2004) of two pictures [3, H, W], uint8 or floating in [0, 1],
/// at least as large as the window: moments in fp64, mean over channels.
SVI_EXPORT double ssim(const at::Tensor& a, const at::Tensor& b,
                       SsimVariant variant = SsimVariant::wang);

/// Luma of a picture [3, H, W], uint8 or floating in [0, 1]: .299 R + .587 G + .114 B of its 8-bit
/// levels, rounded to whole numbers, [1, H, W] fp64.
SVI_EXPORT at::Tensor rounded_luma(const at::Tensor& picture);

/// The same on rounded_luma(), with a contrast term that is never below 0, as MATLAB-compatible
/// toolboxes compute it.
SVI_EXPORT double ssim_y(const at::Tensor& a, const at::Tensor& b,
                         SsimVariant variant = SsimVariant::wang);

/// `ssim` and `ssim_y`: each frame against the scene's truth; a clip's value is the mean over its
/// frames.
class SVI_EXPORT SsimMetric final : public Metric {
 public:
  struct Config {
    SsimVariant variant = SsimVariant::wang;

    void describe(OptionVisitor& visit);
  };

  explicit SsimMetric(Config config) : config_(config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;

 private:
  Config config_;
};

}  // namespace svi
