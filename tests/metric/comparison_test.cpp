#include "svi/metric/comparison.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr double kMissingValue = std::numeric_limits<double>::quiet_NaN();

// Wanted numbers are those of analysis/svi_analysis/paired.py, difference(), for one seed.
TEST(PairedDifference, IsThatOfTheAnalysis) {
  const auto found = paired_difference({3.1, 2.7, 4.4, 1.9, 3.3, 2.2, 3.9, 2.8},
                                       {2.9, 2.8, 3.9, 1.5, 3.4, 1.8, 3.1, 2.6});
  EXPECT_NEAR(found.mean, 0.2875, 1e-12);
  EXPECT_NEAR(found.low, 0.1, 1e-12);
  EXPECT_NEAR(found.high, 0.4875, 1e-12);
  EXPECT_DOUBLE_EQ(found.p, 0.0078125);
  EXPECT_EQ(found.count, 8);
}

TEST(PairedDifference, PromisesNoMoreThanFewPairsCanTell) {
  const auto found = paired_difference({1, 2, 3}, {0.5, 1, 2.9});
  EXPECT_DOUBLE_EQ(found.p, 0.25);
  EXPECT_NEAR(found.low, 0.1, 1e-12);
  EXPECT_NEAR(found.high, 1.0, 1e-12);
}

TEST(PairedDifference, LeavesOutPairsThatAreNotKnown) {
  EXPECT_EQ(paired_difference({1, kMissingValue, 3}, {1, 2, kMissingValue}).count, 1);
  EXPECT_TRUE(std::isnan(paired_difference({kMissingValue}, {1}).mean));
  EXPECT_DOUBLE_EQ(paired_difference({1, 2, 3, 4}, {1, 2, 3, 4}).p, 1);
  EXPECT_THROW(paired_difference({1, 2}, {1}), Error);
}

TEST(Holm, CorrectsFromTheSmallestOn) {
  const auto corrected = holm({0.04, 0.01, kMissingValue, 0.03, 0.9});
  EXPECT_DOUBLE_EQ(corrected[1], 0.04);
  EXPECT_DOUBLE_EQ(corrected[3], 0.09);
  EXPECT_DOUBLE_EQ(corrected[0], 0.09);  // never below a smaller p's
  EXPECT_DOUBLE_EQ(corrected[4], 0.9);
  EXPECT_TRUE(std::isnan(corrected[2]));
  EXPECT_DOUBLE_EQ(holm({0.6, 0.7})[0], 1);
}

}  // namespace
}  // namespace svi
