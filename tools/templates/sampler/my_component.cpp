#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <svi/plugin/plugin.hpp>
#include <svi/sampler/sampler.hpp>
#include <vector>

namespace {

/// Euler steps over a table of powers: sigma_k = (1 - k / steps)^power.
class MyComponent final : public svi::Sampler {
 public:
  struct Config {
    std::int64_t steps = 20;
    double power = 2;

    void describe(svi::OptionVisitor& visit) {
      visit(steps, {.key = "steps", .help = "steps per clip", .min = 1, .max = 1000});
      visit(power, {.key = "power",
                    .help = "above 1: more steps at low noise; below 1: at high noise",
                    .min = 0.1,
                    .max = 10});
    }
  };

  explicit MyComponent(Config config) {
    const auto steps = static_cast<double>(config.steps);
    for (std::int64_t k = 0; k < config.steps; ++k) {
      const auto left = 1 - static_cast<double>(k) / steps;
      sigmas_.push_back(static_cast<float>(std::pow(left, config.power)));
    }
  }

  const std::vector<float>& sigmas() const override { return sigmas_; }
  bool makes_steps() const override { return true; }

 private:
  at::Tensor do_sample(const svi::Denoiser& denoiser, const at::Tensor& noise,
                       const svi::OnStep& on_step) const override {
    auto latent = noise;  // [B, C, F, h, w]
    for (std::size_t i = 0; i < sigmas_.size(); ++i) {
      const float next = i + 1 < sigmas_.size() ? sigmas_[i + 1] : 0.0F;
      const auto step = static_cast<std::int64_t>(i);
      const auto velocity = denoiser.velocity(latent, 1000.0 * sigmas_[i], step);
      latent = latent.add(velocity, next - sigmas_[i]);
      if (on_step) on_step(step + 1, std::ssize(sigmas_));
    }
    return latent;
  }
  at::Tensor do_step(const svi::Denoiser& denoiser, const at::Tensor& latent,
                     const at::Tensor& from, const at::Tensor& to,
                     std::int64_t index) const override {
    const auto frames = from.dim() == 2 ? from.size(1) : 1;
    const auto way = to.sub(from).to(latent.device()).view({latent.size(0), 1, frames, 1, 1});
    return latent.add(denoiser.velocity(latent, from.mul(1000), index).mul(way));
  }

  std::vector<float> sigmas_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::Sampler, MyComponent>("my_component", "Euler steps over a table of powers");
}
