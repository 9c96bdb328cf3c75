#include "svi/diagnose/directions.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diagnose/fakes.hpp"
#include "svi/diagnose/spectrum.hpp"

namespace svi {
namespace {

at::Tensor frames(std::uint32_t number) { return (test::noise_image(number) + 1) * 0.5; }

TEST(DamagePattern, HasUnitRmsAndNoMeanButForBrightness) {
  for (const auto* name : {"tint", "low_frequency", "blocks", "noise"}) {
    const auto pattern = damage_pattern(name, frames(1), 5);
    EXPECT_NEAR(pattern.square().mean().item<double>(), 1, 1e-12) << name;
    EXPECT_NEAR(pattern.mean().item<double>(), 0, 1e-12) << name;
  }
  EXPECT_TRUE(
      at::equal(damage_pattern("brightness", frames(1), 5), at::ones({3, 8, 12}, at::kDouble)));
}

TEST(DamagePattern, IsAFunctionOfItsSeedAndNotOfTheFrame) {
  for (const auto* name : {"low_frequency", "blocks", "noise"}) {
    EXPECT_TRUE(at::equal(damage_pattern(name, frames(1), 5), damage_pattern(name, frames(2), 5)));
    EXPECT_FALSE(at::equal(damage_pattern(name, frames(1), 5), damage_pattern(name, frames(1), 6)));
  }
}

TEST(DamagePattern, OfLowFrequencyHasNoWavesBeyondTwoCycles) {
  const auto power =
      radial_power(damage_pattern("low_frequency", at::zeros({3, 32, 32}), 5)).sum(0);

  // (2, 2) rounds to the radius 3.
  EXPECT_NEAR(power.narrow(0, 1, 3).sum().item<double>(), 3, 1e-10);
}

TEST(DamagePattern, OfBlocksIsConstantInEachBlockAlsoWhereTheyDoNotFit) {
  const auto pattern = damage_pattern("blocks", at::zeros({3, 10, 9}), 5);

  EXPECT_EQ(pattern.sizes(), (std::vector<std::int64_t>{3, 10, 9}));
  const auto block = pattern.narrow(1, 4, 4).narrow(2, 4, 4).reshape({3, 16});
  EXPECT_EQ((block.amax(1) - block.amin(1)).max().item<double>(), 0);
}

TEST(DamagePattern, OfBlurTakesAFrameToItsBinomialMean) {
  auto frame = at::zeros({3, 9, 9});
  frame.select(1, 4).select(1, 4).fill_(1);

  const auto blurred = damage_pattern("blur", frame, 5) + frame.to(at::kDouble);

  const auto line = at::tensor({0.0, 0.0, 1.0, 4.0, 6.0, 4.0, 1.0, 0.0, 0.0}, at::kDouble) / 16;
  EXPECT_LT((blurred - at::outer(line, line)).abs().max().item<double>(), 1e-15);
  EXPECT_LT(damage_pattern("blur", at::full({3, 9, 9}, 0.3), 5).abs().max().item<double>(), 1e-7);
}

TEST(DamagePattern, NamesTheNearestOfWhatItDoesNotKnow) {
  try {
    damage_pattern("nois", frames(1), 5);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("did you mean 'noise'"));
  }
}

}  // namespace
}  // namespace svi
