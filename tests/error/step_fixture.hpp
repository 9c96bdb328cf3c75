#pragma once

#include <ATen/ATen.h>

#include "svi/error/error_source.hpp"
#include "svi/tensor/random.hpp"

namespace svi::test {

inline at::Tensor gaussian(std::uint32_t stream, at::IntArrayRef sizes = {3, 2, 3, 4, 5}) {
  return normal({1, Purpose::test, stream, 0}, sizes);
}

/// One step with errors injected into every sample but the last.
struct Step {
  at::Tensor clean, noise, predicted;
  at::Tensor sigma = at::arange(3, at::kFloat) * 0.4 + 0.1;
  at::Tensor latent_error, noise_error;
  at::Tensor noisy, target;

  /// Latents are [3, 2, 3, 4, 5], or [3, 2, 3, side, side].
  explicit Step(std::int64_t side = 0) {
    const auto draw = [&](std::uint32_t stream) {
      return side > 0 ? gaussian(stream, {3, 2, 3, side, side}) : gaussian(stream);
    };
    clean = draw(1), noise = draw(2), predicted = draw(3);
    latent_error = draw(4), noise_error = draw(5);
    latent_error[2].zero_();
    noise_error[2].zero_();
    settle();
  }
  void settle() {
    const auto s = sigma.view({-1, 1, 1, 1, 1});
    noisy = (1 - s) * (clean + latent_error) + s * (noise + noise_error);
    target = noise + noise_error - clean;
  }
  StepView view() const {
    return {clean, noise, noisy, target, predicted, sigma, latent_error, noise_error};
  }

  at::Tensor estimate(ErrorEnd end, std::int64_t b, const at::Tensor& velocity) const {
    const double s = sigma[b].item<float>();
    return end == ErrorEnd::data ? noisy[b] - s * velocity[b] : noisy[b] + (1 - s) * velocity[b];
  }
};

}  // namespace svi::test
