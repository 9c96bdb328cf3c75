#include "svi/metric/ssim.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "frames_detail.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

/// Weights of a window along one axis; they sum to 1.
std::vector<double> window_weights(SsimVariant variant) {
  if (variant == SsimVariant::skimage) return std::vector<double>(7, 1.0 / 7);
  constexpr int kLength = 11;
  constexpr double kSigma = 1.5;
  std::vector<double> weights;
  double sum = 0;
  for (int i = 0; i < kLength; ++i) {
    const double offset = (i - kLength / 2) / kSigma;
    weights.push_back(std::exp(-0.5 * offset * offset));
    sum += weights.back();
  }
  for (auto& weight : weights) weight /= sum;
  return weights;
}

/// Weighted means along one dimension at every place where the window fits. A sum of shifted
/// copies: ATen's fp64 convolution is ten times slower.
at::Tensor blur_along(const at::Tensor& planes, std::int64_t dim,
                      const std::vector<double>& weights) {
  const auto count = static_cast<std::int64_t>(weights.size());
  const auto length = planes.size(dim) - count + 1;
  auto sum = planes.narrow(dim, 0, length) * weights[0];
  for (std::int64_t i = 1; i < count; ++i)
    sum.add_(planes.narrow(dim, i, length), weights[static_cast<std::size_t>(i)]);
  return sum;
}

/// Planes [N, H, W] with `margin` copies of their edges on each side.
at::Tensor with_edges(const at::Tensor& planes, std::int64_t margin) {
  return at::replication_pad2d(planes, {margin, margin, margin, margin});
}

void check_pictures(const at::Tensor& a, const at::Tensor& b) {
  const auto [C, H, W] = dims<3>(a, "picture [3, H, W]");
  SVI_CHECK(C == 3 && a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type(), "SSIM of ",
            a.sizes(), " ", a.scalar_type(), " and ", b.sizes(), " ", b.scalar_type());
}

class SsimSession final : public MetricSession {
 public:
  explicit SsimSession(SsimVariant variant) : variant_(variant) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    if (!clip.truth.defined()) {
      sink.clip(0, detail::kNan);
      sink.clip(1, detail::kNan);
      return;
    }
    std::vector<double> rgb, y;
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      const auto frame = clip.frames.select(1, t), truth = clip.truth.select(1, t);
      rgb.push_back(ssim(frame, truth, variant_));
      y.push_back(ssim_y(frame, truth, variant_));
    }
    sink.clip(0, detail::mean(rgb));
    sink.frames(0, rgb);
    sink.clip(1, detail::mean(y));
    sink.frames(1, y);
  }

 private:
  SsimVariant variant_;
};

}  // namespace

std::vector<std::string> enum_names(SsimVariant) { return {"wang", "repeated", "skimage"}; }

SsimTerms ssim_terms(const at::Tensor& a, const at::Tensor& b, double range, SsimVariant variant,
                     bool clamp_contrast) {
  const auto [N, H, W] = dims<3>(a, "planes [N, H, W]");
  const auto weights = window_weights(variant);
  const auto length = static_cast<std::int64_t>(weights.size());
  const bool repeated = variant == SsimVariant::repeated;
  SVI_CHECK(repeated || (H >= length && W >= length), "SSIM needs pictures of at least ", length,
            " x ", length, " pixels, got ", H, " x ", W);
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  auto planes = at::cat({a, b});
  if (repeated) planes = with_edges(planes, length / 2);
  const auto x = planes.narrow(0, 0, N), y = planes.narrow(0, N, N);
  const auto all = at::cat({planes, x * x, y * y, x * y});
  const auto moments = blur_along(blur_along(all, 1, weights), 2, weights).split(N);
  const auto &mean_a = moments[0], &mean_b = moments[1];
  const auto pixels = static_cast<double>(length * length);
  const double unbiased = variant == SsimVariant::skimage ? pixels / (pixels - 1) : 1;
  const auto variances = (moments[2] - mean_a.square() + moments[3] - mean_b.square()) * unbiased;
  const auto covariance = (moments[4] - mean_a * mean_b) * unbiased;
  auto contrast = (2.0 * covariance + c2) / (variances + c2);
  if (clamp_contrast) contrast.clamp_min_(0.0);
  const auto luminance = (2.0 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1);
  return {(luminance * contrast).mean({1, 2}), contrast.mean({1, 2})};
}

at::Tensor rounded_luma(const at::Tensor& picture) {
  auto rgb = picture.to(at::kDouble);
  if (picture.scalar_type() != at::kByte) rgb = (rgb * 255.0).round();
  return (rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114).round().unsqueeze(0);
}

double ssim(const at::Tensor& a, const at::Tensor& b, SsimVariant variant) {
  check_pictures(a, b);
  const double range = a.scalar_type() == at::kByte ? 255.0 : 1.0;
  return ssim_terms(a.to(at::kDouble), b.to(at::kDouble), range, variant)
      .whole.mean()
      .item<double>();
}

double ssim_y(const at::Tensor& a, const at::Tensor& b, SsimVariant variant) {
  check_pictures(a, b);
  return ssim_terms(rounded_luma(a), rounded_luma(b), 255.0, variant, true).whole.item<double>();
}

void SsimMetric::Config::describe(OptionVisitor& visit) {
  visit(variant,
        {.key = "variant",
         .help = "window: wang is Gaussian, 11 x 11, where it fits; repeated the same around every "
                 "pixel, with the edges repeated; skimage 7 x 7 pixels alike, variances over "
                 "N - 1"});
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

std::unique_ptr<MetricSession> SsimMetric::open() const {
  return std::make_unique<SsimSession>(config_.variant);
}

}  // namespace svi
