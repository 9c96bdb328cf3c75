#include "svi/metric/psnr.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "frames_detail.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

class PsnrSession final : public MetricSession {
 public:
  explicit PsnrSession(PsnrVariant variant) : variant_(variant) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    if (!clip.truth.defined()) return sink.clip(0, detail::kNan);
    const auto values = psnr_frames(clip.frames, clip.truth, variant_);
    sink.clip(0, detail::mean(values));
    sink.frames(0, values);
  }

 private:
  PsnrVariant variant_;
};

}  // namespace

std::vector<std::string> enum_names(PsnrVariant) { return {"ceiling", "pyiqa"}; }

double psnr(const at::Tensor& a, const at::Tensor& b, PsnrVariant variant) {
  SVI_CHECK(a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && a.numel() > 0,
            "psnr of ", a.sizes(), " ", a.scalar_type(), " and ", b.sizes(), " ", b.scalar_type());
  const double peak = a.scalar_type() == at::kByte ? 255.0 : 1.0;
  const double error = (a.to(at::kDouble) - b.to(at::kDouble)).square().mean().item<double>();
  const double relative = error / (peak * peak);
  if (variant == PsnrVariant::pyiqa) return -10.0 * std::log10(relative + 1e-8);
  return relative < 1e-10 ? kPsnrCeiling : -10.0 * std::log10(relative);
}

std::vector<double> psnr_frames(const at::Tensor& a, const at::Tensor& b, PsnrVariant variant) {
  const auto [C, T, H, W] = dims<4>(a, "video [3, T, H, W]");
  SVI_CHECK(a.sizes() == b.sizes(), "a video ", a.sizes(), " and another ", b.sizes());
  std::vector<double> values;
  for (std::int64_t t = 0; t < T; ++t)
    values.push_back(psnr(a.select(1, t), b.select(1, t), variant));
  return values;
}

void PsnrMetric::Config::describe(OptionVisitor& visit) {
  visit(variant,
        {.key = "variant",
         .help = "equal frames: ceiling gives 100 dB; pyiqa adds 1e-8 of the peak's square "
                 "to every error, which gives 80 dB"});
}

std::vector<Quantity> PsnrMetric::quantities() const {
  return {{.name = "psnr",
           .unit = "dB",
           .meaning = "PSNR of each frame to the truth, mean over frames",
           .per_frame = true,
           .needs_truth = true}};
}

std::unique_ptr<MetricSession> PsnrMetric::open() const {
  return std::make_unique<PsnrSession>(config_.variant);
}

}  // namespace svi
