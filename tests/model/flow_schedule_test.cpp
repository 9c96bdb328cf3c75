#include "svi/model/flow_schedule.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "svi/core/check.hpp"

namespace svi {
namespace {

TEST(FlowSchedule, TrainingTableHasThePublishedTimestepsAndWeights) {
  const FlowSchedule schedule;
  const std::vector<std::array<double, 3>> published = {
      {0, 1000, 0},           {1, 999.80, .00128},    {10, 997.98, .01291},
      {50, 989.58, .06667},   {100, 978.26, .13908},  {200, 952.38, .30389},
      {300, 921.05, .50104},  {400, 882.35, .73853},  {500, 833.33, 1.02486},
      {600, 769.23, 1.36424}, {700, 681.82, 1.73878}, {800, 555.56, 2.04393},
      {833, 500.60, 2.07640}, {900, 357.14, 1.86535}, {950, 208.33, 1.25078},
      {990, 48.08, .30680},   {999, 4.98, .03188}};

  for (const auto& [index, timestep, weight] : published) {
    const auto i = static_cast<std::size_t>(index);
    EXPECT_NEAR(schedule.timesteps()[i], timestep, .005) << i;
    EXPECT_NEAR(schedule.training_weights()[i], weight, 1e-5) << i;
  }
  EXPECT_NEAR(schedule.timesteps()[1], 999.7998, 5e-5);
  EXPECT_NEAR(schedule.timesteps()[998], 9.9206, 5e-5);
  EXPECT_NEAR(schedule.timesteps()[999], 4.9801, 5e-5);
}

TEST(FlowSchedule, TrainingTableIsDenseNearNoise) {
  const FlowSchedule schedule;
  const auto& sigmas = schedule.sigmas();
  const auto above = [&](double bound) {
    return std::count_if(sigmas.begin(), sigmas.end(), [&](float s) { return s > bound; });
  };

  ASSERT_EQ(sigmas.size(), 1000U);
  EXPECT_NEAR(std::accumulate(sigmas.begin(), sigmas.end(), 0.0) / 1000, .7476, 5e-5);
  EXPECT_EQ(above(.5), 834);
  EXPECT_EQ(above(.9), 358);
  const auto& weights = schedule.training_weights();
  EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0) / 1000, 1, 1e-5);
}

TEST(FlowSchedule, FiftyStepsAreTheTestGrids) {
  const FlowSchedule grids(50);
  const std::vector<double> published = {
      1000,   995.93, 991.74, 987.39, 982.91, 978.26, 973.45, 968.47, 963.30, 957.94,
      952.38, 946.60, 940.59, 934.34, 927.84, 921.05, 913.98, 906.59, 898.88, 890.80,
      882.35, 873.49, 864.20, 854.43, 844.16, 833.33, 821.92, 809.86, 797.10, 783.58,
      769.23, 753.97, 737.70, 720.34, 701.75, 681.82, 660.38, 637.25, 612.24, 585.11,
      555.56, 523.26, 487.80, 448.72, 405.41, 357.14, 303.03, 241.94, 172.41, 92.59};

  ASSERT_EQ(grids.steps(), 50);
  for (std::size_t i = 0; i < published.size(); ++i) {
    EXPECT_NEAR(grids.timesteps()[i], published[i], .0051) << i;
  }
}

TEST(FlowSchedule, TrainingDrawsFillTheGridsAsPublished) {
  const FlowSchedule train;
  const FlowSchedule grids(50);
  std::vector<int> counts(50, 0);

  for (const auto timestep : train.timesteps()) {
    ++counts[static_cast<std::size_t>(grids.grid_of(timestep))];
  }

  EXPECT_EQ(counts.front(), 11);
  EXPECT_EQ(counts.back(), 29);
  for (std::size_t i = 1; i < 49; ++i) EXPECT_EQ(counts[i], 20) << i;
}

TEST(FlowSchedule, InferenceStepsAreThePublishedDeltas) {
  const FlowSchedule schedule(50);
  const auto& deltas = schedule.deltas();
  const std::map<std::size_t, double> published = {{0, -.0040650},  {1, -.0041994},
                                                   {2, -.0043406},  {47, -.0695217},
                                                   {48, -.0798212}, {49, -.0925926}};

  for (const auto& [index, delta] : published) EXPECT_NEAR(deltas[index], delta, 2e-7) << index;
  EXPECT_NEAR(std::accumulate(deltas.begin(), deltas.end(), 0.0), -1, 1e-6);
}

TEST(FlowSchedule, NearestFindsEachEntryAndTheEnds) {
  const FlowSchedule schedule;

  for (const std::int64_t i : {0, 1, 17, 500, 998, 999}) {
    EXPECT_EQ(schedule.nearest(schedule.timesteps()[static_cast<std::size_t>(i)]), i);
  }
  EXPECT_EQ(schedule.nearest(2000), 0);
  EXPECT_EQ(schedule.nearest(-5), 999);
}

TEST(FlowSchedule, RefusesSizesThatMakeNoTable) {
  EXPECT_THROW(FlowSchedule(0), ConfigError);
  EXPECT_THROW(FlowSchedule(10, 0), ConfigError);
  EXPECT_EQ(FlowSchedule(1).training_weights(), std::vector<float>{1});
}

TEST(FlowSchedule, OneJumpWithTheTargetReachesBothEnds) {
  const auto clean = at::randn({2, 3, 2, 4, 4});
  const auto noise = at::randn({2, 3, 2, 4, 4});
  const auto sigma = at::tensor({.25F, .9F});
  const auto noisy = add_noise(clean, noise, sigma);
  const auto velocity = target_velocity(clean, noise);

  EXPECT_TRUE(at::allclose(jump_to_data(noisy, velocity, sigma), clean, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(jump_to_noise(noisy, velocity, sigma), noise, 1e-5, 1e-6));
  EXPECT_THROW(add_noise(clean, noise, at::tensor({.5F})), Error);
}

}  // namespace
}  // namespace svi
