#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Highest value psnr() gives: that of equal pictures.
inline constexpr double kPsnrCeiling = 100.0;

/// What PSNR makes of equal pictures, whose error is 0.
enum class PsnrVariant {
  ceiling,  // kPsnrCeiling; all others are as the formula says
  pyiqa,    // 80 dB: 1e-8 of the peak's square is added to every error
};
/// "ceiling", "pyiqa".
SVI_EXPORT std::vector<std::string> enum_names(PsnrVariant);

/// Peak signal-to-noise ratio in dB of two tensors of equal sizes over all their elements: uint8
/// with peak 255, or floating with peak 1. Mean squared errors below 1e-10 of the peak's square
/// give kPsnrCeiling, unless the variant says otherwise.
SVI_EXPORT double psnr(const at::Tensor& a, const at::Tensor& b,
                       PsnrVariant variant = PsnrVariant::ceiling);

/// psnr() of each frame of two videos [3, T, H, W].
SVI_EXPORT std::vector<double> psnr_frames(const at::Tensor& a, const at::Tensor& b,
                                           PsnrVariant variant = PsnrVariant::ceiling);

/// `psnr`: each frame against the scene's truth; a clip's value is the mean over its frames.
class SVI_EXPORT PsnrMetric final : public Metric {
 public:
  struct Config {
    PsnrVariant variant = PsnrVariant::ceiling;

    void describe(OptionVisitor& visit);
  };

  explicit PsnrMetric(Config config) : config_(config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;

 private:
  Config config_;
};

}  // namespace svi
