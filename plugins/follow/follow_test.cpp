#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "lag/lag_correlation.hpp"
#include "metric/recording_sink.hpp"
#include "svi/metric/frechet.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

/// [T, P] fp64
at::Tensor walk(std::uint32_t stream, std::int64_t frames, std::int64_t width) {
  return normal({3, Purpose::test, stream, 0}, {frames, width}).to(at::kDouble).cumsum(0);
}

/// By the definition, all at once: shown[t] with truth[t - lag].
double plain_correlation(const at::Tensor& shown, const at::Tensor& truth, std::int64_t lag) {
  const auto T = shown.size(0) - std::abs(lag);
  const auto a = shown.narrow(0, std::max<std::int64_t>(lag, 0), T);
  const auto b = truth.narrow(0, std::max<std::int64_t>(-lag, 0), T);
  const auto x = a - a.mean(0), y = b - b.mean(0);
  return ((x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()).item<double>();
}

TEST(LagCorrelation, IsThatOfTheDefinitionAtEveryLag) {
  for (const std::int64_t width : {1, 7}) {
    const auto shown = walk(1, 50, width), truth = walk(2, 50, width);
    follow::LagCorrelation lags(10);
    for (std::int64_t t = 0; t < 50; ++t) lags.add(shown[t], truth[t]);
    const auto all = lags.correlations();
    ASSERT_EQ(all.size(), 21u);
    for (std::int64_t lag = -10; lag <= 10; ++lag)
      EXPECT_NEAR(all[static_cast<std::size_t>(10 + lag)], plain_correlation(shown, truth, lag),
                  1e-10);
  }
}

TEST(LagCorrelation, LeavesOutLagsOfTooFewFrames) {
  const auto series = walk(4, 15, 1);
  follow::LagCorrelation lags(10, 12);
  for (std::int64_t t = 0; t < 15; ++t) {
    if (t < 13) {
      EXPECT_TRUE(std::isnan(lags.lag().confidence)) << t;
    }
    lags.add(series[t], series[t]);
  }
  const auto all = lags.correlations();
  for (std::int64_t lag = -10; lag <= 10; ++lag)
    EXPECT_EQ(std::isnan(all[static_cast<std::size_t>(10 + lag)]), std::abs(lag) > 3) << lag;
  EXPECT_EQ(lags.lag().frames, 0);
}

TEST(LagCorrelation, OfWhatStandsStillIsUnknown) {
  follow::LagCorrelation lags(5);
  const auto series = walk(5, 40, 2);
  for (std::int64_t t = 0; t < 40; ++t) lags.add(series[0], series[t]);
  EXPECT_TRUE(std::isnan(lags.lag().confidence));
}

class MotionFrechetTest : public ::testing::Test {
 protected:
  MotionFrechetTest() { load_plugin(PLUGIN_FILE, registry_); }

  /// Of 16 films [3, 9, 24, 24], shown as one clip each.
  double distance(const std::function<at::Tensor(const at::Tensor&)>& shown_as) const {
    const auto metric = registry_.make<Metric>(Document{}, "motion_frechet");
    std::vector<at::Tensor> shown, truth;
    for (std::uint32_t i = 0; i < 16; ++i) {
      const auto film = normal({9, Purpose::test, i, 0}, {3, 9, 6, 6}).sigmoid();
      const auto large = film.repeat_interleave(4, 2).repeat_interleave(4, 3);
      auto seen = measure(*metric, shown_as(large), 9, large);
      shown.push_back(seen.shown.at("motion_frechet").front());
      truth.push_back(seen.truth.at("motion_frechet").front());
    }
    return frechet_distance(at::cat(shown), at::cat(truth));
  }

  Registry registry_;
};

TEST_F(MotionFrechetTest, SeesDarknessStillnessAndBlurAndNothingInTheTruth) {
  EXPECT_NEAR(distance([](const at::Tensor& film) { return film; }), 0, 1e-9);
  const double slight = distance([](const at::Tensor& film) { return film * 0.95; });
  const double dark = distance([](const at::Tensor& film) { return film * 0.8; });
  const double still = distance(
      [](const at::Tensor& film) { return film.narrow(1, 0, 1).expand_as(film).contiguous(); });
  const double blurred = distance([](const at::Tensor& film) {
    return at::avg_pool2d(film, {5, 5}, {1, 1}, {2, 2}, false, false);
  });
  EXPECT_GT(slight, 1e-5);
  EXPECT_GT(dark, 2 * slight);
  EXPECT_GT(still, slight);
  EXPECT_GT(blurred, slight);
}

}  // namespace
}  // namespace svi
