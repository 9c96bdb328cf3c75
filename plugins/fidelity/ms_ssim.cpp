// ms_ssim: structural similarity at five scales (Wang, Simoncelli, Bovik 2003).
#include <algorithm>
#include <array>
#include <cmath>
#include <svi/metric/ssim.hpp>

#include "fidelity.hpp"

namespace {

constexpr std::array<double, 5> kScaleWeights = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
constexpr std::int64_t kShortestSide = 161;  // the window of 11 fits at the last of five scales

/// Means over 2 x 2 pixels; a side of odd length gets one zero before and one behind, as the
/// published implementations in PyTorch do.
at::Tensor halved(const at::Tensor& planes) {  // [N, H, W]
  const auto H = planes.size(1), W = planes.size(2);
  return at::avg_pool2d(planes, {2, 2}, {2, 2}, {H % 2, W % 2});
}

/// MS-SSIM of planes [N, H, W] in fp64 whose values span `range`, mean over planes. A scale's mean
/// below 0 counts as 0. With `clamp` the contrast term is at least 0 at every place.
double multi_scale(at::Tensor a, at::Tensor b, double range, bool clamp) {
  auto product = at::ones({a.size(0)}, at::kDouble);
  for (std::size_t scale = 0; scale < kScaleWeights.size(); ++scale) {
    const bool last = scale + 1 == kScaleWeights.size();
    const auto terms = svi::ssim_terms(a, b, range, svi::SsimVariant::wang, clamp);
    product *= (last ? terms.whole : terms.contrast).clamp_min(0).pow(kScaleWeights[scale]);
    a = halved(a);
    b = halved(b);
  }
  return product.mean().item<double>();
}

class MsSsimSession final : public fidelity::PairSession {
 public:
  MsSsimSession() : PairSession(2) {}

 private:
  std::vector<double> compare(const at::Tensor& frame, const at::Tensor& truth) override {
    if (std::min(frame.size(1), frame.size(2)) < kShortestSide)
      return {fidelity::kUndefined, fidelity::kUndefined};
    return {multi_scale(frame.to(at::kDouble), truth.to(at::kDouble), 1, false),
            multi_scale(svi::rounded_luma(frame), svi::rounded_luma(truth), 255, true)};
  }
};

/// `ms_ssim` and `ms_ssim_y`: mean over frames of MS-SSIM, on RGB and on rounded luma.
class MsSsimMetric final : public svi::Metric {
 public:
  struct Config {
    void describe(svi::OptionVisitor&) {}
  };

  explicit MsSsimMetric(Config) {}

  std::vector<svi::Quantity> quantities() const override {
    return {
        {.name = "ms_ssim",
         .unit = "1",
         .meaning = "SSIM at five scales of each frame to the truth, mean over RGB channels and "
                    "frames",
         .per_frame = true,
         .needs_truth = true},
        {.name = "ms_ssim_y",
         .unit = "1",
         .meaning = "SSIM at five scales of each frame's rounded luma to the truth's, mean over "
                    "frames",
         .per_frame = true,
         .needs_truth = true}};
  }
  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<MsSsimSession>();
  }
};

}  // namespace

void fidelity::register_ms_ssim(svi::Registrar& registrar) {
  registrar.add<svi::Metric, MsSsimMetric>("ms_ssim",
                                           "structural similarity to the truth at five scales");
}
