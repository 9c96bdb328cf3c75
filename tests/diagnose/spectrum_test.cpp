#include "svi/diagnose/spectrum.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "svi/tensor/random.hpp"

namespace svi {
namespace {

/// The definition, number by number.
std::vector<double> plain_power(const at::Tensor& image) {
  const auto H = image.size(0), W = image.size(1);
  std::vector<double> bands(static_cast<std::size_t>(radial_bands(H, W)));
  for (std::int64_t fy = -((H - 1) / 2); fy <= H / 2; ++fy) {
    for (std::int64_t fx = -((W - 1) / 2); fx <= W / 2; ++fx) {
      double re = 0, im = 0;
      for (std::int64_t y = 0; y < H; ++y) {
        for (std::int64_t x = 0; x < W; ++x) {
          const double angle = 2 * std::numbers::pi *
                               (static_cast<double>(fy * y) / static_cast<double>(H) +
                                static_cast<double>(fx * x) / static_cast<double>(W));
          const double value = image[y][x].item<double>() / static_cast<double>(H * W);
          re += value * std::cos(angle);
          im -= value * std::sin(angle);
        }
      }
      const double radius = std::sqrt(static_cast<double>(fy * fy + fx * fx));
      bands[static_cast<std::size_t>(std::llround(radius))] += re * re + im * im;
    }
  }
  return bands;
}

TEST(RadialPower, EqualsTheDefinitionOnEvenAndOddSizes) {
  for (const auto& [H, W] : {std::pair{6, 8}, std::pair{5, 7}, std::pair{5, 8}}) {
    const auto image = normal({2, Purpose::test, 0, 0}, {H, W}).to(at::kDouble);

    const auto power = radial_power(image);

    const auto expected = at::tensor(plain_power(image), at::kDouble);
    EXPECT_TRUE(at::allclose(power, expected, 0, 1e-13)) << H << " x " << W;
  }
}

TEST(RadialPower, SumsUpToTheMeanSquare) {
  const auto images = normal({2, Purpose::test, 1, 0}, {2, 3, 30, 52});

  const auto sums = radial_power(images).sum(-1);

  EXPECT_EQ(sums.sizes(), (std::vector<std::int64_t>{2, 3}));
  const auto squares = images.to(at::kDouble).square().flatten(2).mean(2);
  EXPECT_TRUE(at::allclose(sums, squares, 1e-12));
}

TEST(RadialPower, PutsAWaveOfFiveCyclesInBandFive) {
  const auto x = at::arange(32, at::kDouble) * (2 * std::numbers::pi * 5 / 32);
  const auto power = radial_power(x.cos().unsqueeze(1).expand({32, 32}));

  EXPECT_NEAR(power[5].item<double>(), 0.5, 1e-12);
  EXPECT_NEAR(power.sum().item<double>(), 0.5, 1e-12);
}

}  // namespace
}  // namespace svi
