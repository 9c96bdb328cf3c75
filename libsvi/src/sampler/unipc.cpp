#include "svi/sampler/unipc.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace svi {
namespace {

// The paper's lambda: log of the share of data over that of noise.
double log_ratio(double sigma) { return std::log(1 - sigma) - std::log(sigma); }

// One step's way from sigma `from` to sigma `to`, with what predictor and corrector share. Both
// start from x = (to / from) x - (1 - to) (e^-h - 1) m0 and add differences of data predictions:
// m0 is the one at `from`, m1 the one a step earlier.
struct Step {
  double scale;    // of the latent at `from`
  double growth;   // (1 - to) (e^-h - 1), also B(h) (1 - to)
  double minus_h;  // -h
  double ratio;    // r: the earlier step, in units of h; negative. 0 for a step of order 1
  bool second;     // whether m1 is used

  Step(double from, double to, double earlier, bool second_order) : second(second_order) {
    const double h = log_ratio(to) - log_ratio(from);
    minus_h = -h;
    scale = to / from;
    growth = (1 - to) * std::expm1(minus_h);
    ratio = second ? (log_ratio(earlier) - log_ratio(from)) / h : 0;
  }

  at::Tensor base(const at::Tensor& x, const at::Tensor& m0) const {
    return x * scale - m0 * growth;
  }

  at::Tensor predict(const at::Tensor& x, const at::Tensor& m0, const at::Tensor& m1) const {
    const auto order_1 = base(x, m0);
    return second ? order_1 - (m1 - m0) * (0.5 * growth / ratio) : order_1;
  }

  // `m` is the data prediction at `to`. The weights of order 2 solve w0 + w1 = b1, r w0 + w1 = b2.
  at::Tensor correct(const at::Tensor& x, const at::Tensor& m0, const at::Tensor& m1,
                     const at::Tensor& m) const {
    if (!second) return base(x, m0) - (m - m0) * (0.5 * growth);
    const double b = std::expm1(minus_h);
    const double phi_2 = b / minus_h - 1;
    const double phi_3 = phi_2 / minus_h - 0.5;
    const double b1 = phi_2 / b, b2 = 2 * phi_3 / b;
    const double w0 = (b1 - b2) / (1 - ratio), w1 = b1 - w0;
    return base(x, m0) - (m1 - m0) * (growth * w0 / ratio) - (m - m0) * (growth * w1);
  }
};

}  // namespace

std::vector<std::string> enum_names(UniPcTable) { return {"official", "diffusers"}; }

UniPcSampler::UniPcSampler(Config config) : config_(config) {
  const bool official = config_.table == UniPcTable::official;
  // 0.999 as Wan's program has it, rounded to float32: it decides which whole timestep is met.
  const double first = official ? 0.999F : 1.0, last = official ? 0 : 0.001;
  const double stride = (last - first) / static_cast<double>(config_.steps);
  constexpr double kLargest = 1 - 1e-6;  // keeps the log ratio finite
  for (std::int64_t i = 0; i < config_.steps; ++i) {
    const double u = static_cast<double>(i) * stride + first;
    const double sigma =
        std::min(config_.shift * u / (1 + (config_.shift - 1) * u), official ? 1 : kLargest);
    sigmas_.push_back(static_cast<float>(sigma));
    timesteps_.push_back(std::floor(1000 * sigma));
  }
}

at::Tensor UniPcSampler::do_sample(const Denoiser& denoiser, const at::Tensor& noise,
                                   const OnStep& on_step) const {
  auto latent = noise.to(at::kFloat);  // [B, C, F, h, w]
  at::Tensor start;   // the corrected latent from which the last step set out, [B, C, F, h, w]
  at::Tensor m0, m1;  // data predictions of the last two steps, [B, C, F, h, w]
  std::optional<Step> step;
  const auto steps = static_cast<std::int64_t>(sigmas_.size());
  for (std::int64_t i = 0; i < steps; ++i) {
    const double sigma = sigmas_[i];
    const auto data = latent - denoiser.velocity(latent, timesteps_[i], i) * sigma;
    if (step) latent = step->correct(start, m0, m1, data);
    start = latent;
    m1 = m0;
    m0 = data;
    if (i + 1 < steps) {
      step = Step(sigma, sigmas_[i + 1], i > 0 ? sigmas_[i - 1] : 0, i > 0);
      latent = step->predict(start, m0, m1);
    } else {
      latent = m0;  // the limit of a first-order step to sigma = 0
    }
    if (on_step) on_step(i + 1, steps);
  }
  return latent;
}

}  // namespace svi
