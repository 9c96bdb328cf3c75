#include "svi/tensor/time_bins.hpp"

#include <gtest/gtest.h>

#include <map>

namespace svi {
namespace {

TEST(TimeBins, AreTheFiftyTestGrids) {
  const TimeBins bins(50, 5);
  const std::map<std::int64_t, double> timesteps = {
      {0, 1000}, {1, 995.93}, {10, 952.38}, {25, 833.33}, {40, 555.56}, {45, 357.14}, {49, 92.59}};

  EXPECT_EQ(bins.count(), 50);
  for (const auto& [bin, timestep] : timesteps)
    EXPECT_NEAR(1000 * bins.centre(bin), timestep, 5e-3) << bin;
}

TEST(TimeBins, ReceiveTheTrainingTableAsTheReferenceDoes) {
  const TimeBins bins(50, 5);
  std::vector<int> draws(50, 0);
  for (int i = 0; i < 1000; ++i) {
    const double u = 1 - i / 1000.0;
    ++draws[static_cast<std::size_t>(bins.bin(static_cast<float>(5 * u / (1 + 4 * u))))];
  }

  EXPECT_EQ(draws[0], 11);
  for (std::size_t bin = 1; bin < 49; ++bin) EXPECT_EQ(draws[bin], 20) << bin;
  EXPECT_EQ(draws[49], 29);
}

TEST(TimeBins, ChooseTheNearestCentre) {
  const TimeBins bins(50, 5);
  for (int i = 0; i <= 2000; ++i) {
    const double sigma = i / 2000.0;
    std::int64_t best = 0;
    for (std::int64_t bin = 1; bin < 50; ++bin) {
      if (std::abs(bins.centre(bin) - std::min(sigma, 0.999)) <
          std::abs(bins.centre(best) - std::min(sigma, 0.999))) {
        best = bin;
      }
    }

    EXPECT_EQ(bins.bin(sigma), best) << sigma;
  }
}

}  // namespace
}  // namespace svi
