#include "svi/metric/ssim.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "frames_detail.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr std::int64_t kWindow = 11;
constexpr double kSigma = 1.5;

std::array<double, kWindow> window() {
  std::array<double, kWindow> weights;
  double sum = 0;
  for (std::int64_t i = 0; i < kWindow; ++i) {
    const double offset = static_cast<double>(i - kWindow / 2) / kSigma;
    sum += weights[static_cast<std::size_t>(i)] = std::exp(-0.5 * offset * offset);
  }
  for (auto& weight : weights) weight /= sum;
  return weights;
}

/// Weighted means along one dimension at every place where the window fits. A sum of shifted
/// copies: ATen's fp64 convolution is ten times slower.
at::Tensor blur_along(const at::Tensor& planes, std::int64_t dim) {
  static const auto weights = window();
  const auto length = planes.size(dim) - kWindow + 1;
  auto sum = planes.narrow(dim, 0, length) * weights[0];
  for (std::int64_t i = 1; i < kWindow; ++i) {
    sum.add_(planes.narrow(dim, i, length), weights[static_cast<std::size_t>(i)]);
  }
  return sum;
}

/// Means under the window: [N, H, W] -> [N, H-10, W-10].
at::Tensor blur(const at::Tensor& planes) { return blur_along(blur_along(planes, 1), 2); }

/// Mean similarity of two stacks of planes [N, H, W] in fp64 with the given range of values.
double similarity(const at::Tensor& a, const at::Tensor& b, double range, bool clamp_contrast) {
  SVI_CHECK(a.size(1) >= kWindow && a.size(2) >= kWindow, "SSIM needs pictures of at least ",
            kWindow, " x ", kWindow, " pixels, got ", a.size(1), " x ", a.size(2));
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  const auto moments = blur(at::cat({a, b, a * a, b * b, a * b})).split(a.size(0));
  const auto &mean_a = moments[0], &mean_b = moments[1];
  const auto variance_a = moments[2] - mean_a.square();
  const auto variance_b = moments[3] - mean_b.square();
  const auto covariance = moments[4] - mean_a * mean_b;
  auto contrast = (2.0 * covariance + c2) / (variance_a + variance_b + c2);
  if (clamp_contrast) contrast.clamp_min_(0.0);
  const auto luminance = (2.0 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1);
  return (luminance * contrast).mean().item<double>();
}

void check_pictures(const at::Tensor& a, const at::Tensor& b) {
  const auto [C, H, W] = dims<3>(a, "picture [3, H, W]");
  SVI_CHECK(C == 3 && a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type(), "SSIM of ",
            a.sizes(), " ", a.scalar_type(), " and ", b.sizes(), " ", b.scalar_type());
}

at::Tensor luma(const at::Tensor& picture) {  // [3, H, W] -> [1, H, W], 0..255
  const double scale = picture.scalar_type() == at::kByte ? 1.0 : 255.0;
  const auto rgb = picture.to(at::kDouble) * scale;
  return (rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114).round().unsqueeze(0);
}

class SsimSession final : public MetricSession {
 public:
  void add(const ClipView& clip, MetricSink& sink) override {
    if (!clip.truth.defined()) {
      sink.clip(0, detail::kNan);
      sink.clip(1, detail::kNan);
      return;
    }
    std::vector<double> rgb, y;
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      const auto frame = clip.frames.select(1, t), truth = clip.truth.select(1, t);
      rgb.push_back(ssim(frame, truth));
      y.push_back(ssim_y(frame, truth));
    }
    sink.clip(0, detail::mean(rgb));
    sink.frames(0, rgb);
    sink.clip(1, detail::mean(y));
    sink.frames(1, y);
  }
};

}  // namespace

double ssim(const at::Tensor& a, const at::Tensor& b) {
  check_pictures(a, b);
  const double range = a.scalar_type() == at::kByte ? 255.0 : 1.0;
  return similarity(a.to(at::kDouble), b.to(at::kDouble), range, false);
}

double ssim_y(const at::Tensor& a, const at::Tensor& b) {
  check_pictures(a, b);
  return similarity(luma(a), luma(b), 255.0, true);
}

std::vector<Quantity> SsimMetric::quantities() const {
  return {{.name = "ssim",
           .unit = "1",
           .meaning = "SSIM of each frame to the truth, mean over RGB channels and frames",
           .per_frame = true,
           .needs_truth = true},
          {.name = "ssim_y",
           .unit = "1",
           .meaning = "SSIM of each frame's rounded luma to the truth's, mean over frames",
           .per_frame = true,
           .needs_truth = true}};
}

std::unique_ptr<MetricSession> SsimMetric::open() const { return std::make_unique<SsimSession>(); }

}  // namespace svi
