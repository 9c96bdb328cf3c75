#include "svi/metric/drift.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/core/random.hpp"

namespace svi {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(RobustSlope, IgnoresAWildClip) {
  std::vector<double> values;
  for (int i = 0; i < 20; ++i) values.push_back(30 - 0.25 * i);
  values[7] = 1000;

  EXPECT_NEAR(robust_slope(values), -0.25, 1e-12);
  EXPECT_NEAR(relative_slope(values), -0.25 / 30, 1e-12);
}

TEST(RobustSlope, LeavesOutWhatIsNotANumber) {
  EXPECT_NEAR(robust_slope({kNan, 1, 2, kNan, 4}), 1, 1e-12);
  EXPECT_TRUE(std::isnan(robust_slope({1})));
  EXPECT_TRUE(std::isnan(robust_slope({})));
  EXPECT_TRUE(std::isnan(relative_slope({0, 0, 0})));
  EXPECT_TRUE(std::isnan(relative_slope({0, 1, 2})));
}

/// A curve and what SciPy says of it: see make_slopes.py.
struct Curve {
  double slope = 0, level = 0;
  std::vector<double> values;
};

std::vector<Curve> scipy_curves() {
  std::ifstream file(SVI_SOURCE_DIR "/tests/data/metric/slopes.tsv");
  std::vector<Curve> curves;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::vector<double> numbers;
    for (std::string word; words >> word;) numbers.push_back(std::strtod(word.c_str(), nullptr));
    curves.push_back({numbers.at(0), numbers.at(1), {numbers.begin() + 2, numbers.end()}});
  }
  return curves;
}

TEST(RobustSlope, IsSciPysTheilSenSlope) {
  const auto curves = scipy_curves();
  ASSERT_EQ(curves.size(), 28U);
  for (const auto& curve : curves) {
    EXPECT_NEAR(robust_slope(curve.values), curve.slope, 1e-12 * (1 + std::abs(curve.slope)));
    EXPECT_NEAR(relative_slope(curve.values), curve.slope / std::abs(curve.level), 1e-10);
  }
}

TEST(BootstrapInterval, IsAFunctionOfValuesAndSeed) {
  const std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8};

  const auto a = bootstrap_interval(values, 3), b = bootstrap_interval(values, 3);

  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_DOUBLE_EQ(a.mean, 4.5);
  EXPECT_EQ(a.count, 8);
}

TEST(BootstrapInterval, HasTheWidthOfTheCentralLimit) {
  std::vector<float> draws(400);
  fill_normal({11, Purpose::test, 0, 0}, draws.data(), 400);
  const std::vector<double> values(draws.begin(), draws.end());

  const auto interval = bootstrap_interval(values, 0);

  EXPECT_NEAR(interval.high - interval.low, 2 * 1.96 / 20, 0.02);
  EXPECT_LT(interval.low, interval.mean);
  EXPECT_GT(interval.high, interval.mean);
}

TEST(BootstrapInterval, LiesBetweenNeighboursOfTheSortedMeans) {
  const std::vector<double> values{1, 2, 4, 8, 16, 32, 64, 128};
  std::vector<double> means;
  for (std::uint32_t r = 0; r < 5; ++r) {
    double sum = 0;
    for (std::uint32_t i = 0; i < 8; ++i)
      sum += values[uniform_index({7, Purpose::bootstrap, r, 0}, values.size(), i)];
    means.push_back(sum / 8);
  }
  std::sort(means.begin(), means.end());

  const auto interval = bootstrap_interval(values, 7, 5);

  // Places .025 x 4 and .975 x 4 of the five, as numpy.quantile takes them.
  EXPECT_NEAR(interval.low, 0.9 * means[0] + 0.1 * means[1], 1e-12);
  EXPECT_NEAR(interval.high, 0.1 * means[3] + 0.9 * means[4], 1e-12);
  EXPECT_NEAR(interval.mean, 255.0 / 8, 1e-12);
  EXPECT_LT(means[0], means[1]);
  EXPECT_LT(means[3], means[4]);
}

TEST(BootstrapInterval, OfOneResampleIsAPoint) {
  const auto interval = bootstrap_interval({3, 5, 9}, 2, 1);

  EXPECT_EQ(interval.low, interval.high);
  EXPECT_GE(interval.low, 3);
  EXPECT_LE(interval.low, 9);
}

TEST(BootstrapInterval, LeavesOutWhatIsNotANumber) {
  const auto interval = bootstrap_interval({kNan, 2, 2, kNan}, 0);

  EXPECT_EQ(interval.count, 2);
  EXPECT_EQ(interval.low, 2);
  EXPECT_EQ(interval.high, 2);
  EXPECT_TRUE(std::isnan(bootstrap_interval({}, 0).mean));
  EXPECT_EQ(bootstrap_interval({kNan}, 0).count, 0);
  EXPECT_THROW(bootstrap_interval({1}, 0, 0), Error);
}

TEST(PerSecond, GivesTheMeanOfEachSecondsFrames) {
  EXPECT_EQ(per_second({1, 3, 5, 7, 2, 2}, 2), (std::vector<double>{2, 6, 2}));
  EXPECT_EQ(per_second({1, kNan, 5, 7}, 2), (std::vector<double>{1, 6}));
  // 2.5 frames a second: frames 0, 1, 2 and 3, 4.
  EXPECT_EQ(per_second({3, 3, 3, 8, 8}, 2.5), (std::vector<double>{3, 8}));
  EXPECT_TRUE(per_second({1, 2}, 0).empty());
}

TEST(PerSecond, GivesAShortRestToTheSecondBefore) {
  EXPECT_EQ(per_second({4, 4, 4, 4, 9}, 4), (std::vector<double>{5}));
  EXPECT_EQ(per_second({4, 4, 4, 4, 9, 9}, 4), (std::vector<double>{4, 9}));
  EXPECT_EQ(per_second({4}, 24), (std::vector<double>{4}));
}

TEST(VideoDriftError, WeighsEachSegmentsDepartureFromTheFirst) {
  // Means 2, 3, 1: 2 |3 - 2| / 2 + 1 |1 - 2| / 2.
  EXPECT_DOUBLE_EQ(video_drift_error({2, 2, 3, 3, 0, 2, 9}, 3), 1.5);
  EXPECT_DOUBLE_EQ(video_drift_error({5, 5, 5, 5}, 4), 0);
  EXPECT_TRUE(std::isinf(video_drift_error({0, 1}, 2)));
  EXPECT_TRUE(std::isnan(video_drift_error({1, kNan}, 2)));
  EXPECT_TRUE(std::isnan(video_drift_error({1, 2}, 3)));
  EXPECT_DOUBLE_EQ(video_drift_error({1, 2}, 1), 0);
}

TEST(DriftOnset, IsTheSecondFromWhichAllFilmsAreWorse) {
  std::vector<std::vector<double>> curves;
  for (int film = 0; film < 6; ++film) {
    const double level = 10 + film;
    curves.push_back({level, level + 0.01 * (film - 2.5), level - 1, level - 2 - 0.1 * film});
  }
  const auto onset = drift_onset(curves, 1);
  EXPECT_EQ(onset.second, 2);
  EXPECT_DOUBLE_EQ(onset.first, 12.5);
  EXPECT_NEAR(onset.change.mean, -2.25, 1e-12);
  EXPECT_EQ(drift_onset(curves, -1).second, -1);  // where lower is better, they get better
}

TEST(DriftOnset, NeedsFourFilmsAndAnEndThatIsWorse) {
  EXPECT_EQ(drift_onset({{3, 1}, {3, 1}, {3, 1}}, 1).second, -1);
  EXPECT_EQ(drift_onset({{3, 1}, {3, 1}, {3, 1}, {3, 1}}, 1).second, 1);
  EXPECT_EQ(drift_onset({{3, 1, 3}, {3, 1, 3}, {3, 1, 3}, {3, 1, 3}}, 1).second, -1);
  EXPECT_EQ(drift_onset({}, 1).second, -1);
}

}  // namespace
}  // namespace svi
