#include "svi/diagnose/spectrum.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// Signed frequencies in the order of a Fourier transform: 0, 1, ..., -2, -1.
at::Tensor frequencies(std::int64_t size) {
  const auto index = at::arange(size, at::kDouble);
  return at::where(index > static_cast<double>(size / 2), index - static_cast<double>(size), index);
}

}  // namespace

std::int64_t radial_bands(std::int64_t height, std::int64_t width) {
  return std::llround(std::hypot(height / 2, width / 2)) + 1;
}

at::Tensor radial_power(const at::Tensor& images) {
  SVI_CHECK(images.dim() >= 2, "images [..., H, W] needed, got ", images.sizes());
  const auto H = images.size(-2), W = images.size(-1), K = radial_bands(H, W);
  const auto flat = images.to(at::kCPU, at::kDouble).reshape({-1, H, W});
  const auto power =
      (at::fft_fft2(flat).abs() / static_cast<double>(H * W)).square().view({-1, H * W});
  const auto radius = at::hypot(frequencies(H).unsqueeze(1), frequencies(W).unsqueeze(0));
  const auto band = radius.round().to(at::kLong).view({1, H * W}).expand_as(power);
  auto sizes = images.sizes().vec();
  sizes.pop_back();
  sizes.back() = K;
  return at::zeros({flat.size(0), K}, at::kDouble).scatter_add(1, band, power).view(sizes);
}

}  // namespace svi
