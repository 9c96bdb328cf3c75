#include "svi/metric/correlation.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "svi/core/check.hpp"

namespace svi {
namespace {

TEST(Correlation, HasTheTextbookValues) {
  // Sums of products 4, squares 10 and 10.
  EXPECT_NEAR(pearson({1, 2, 3, 4, 5}, {1, 3, 2, 5, 4}), 0.8, 1e-15);
  EXPECT_NEAR(pearson({1, 2, 3}, {6, 4, 2}), -1, 1e-15);
  EXPECT_NEAR(spearman({1, 2, 3, 4}, {1, 10, 100, 1000}), 1, 1e-15);
  // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3.
  EXPECT_NEAR(spearman({1, 2, 2, 3}, {1, 2, 3, 4}), 4.5 / std::sqrt(4.5 * 5), 1e-15);
}

TEST(Correlation, IsUndefinedForAConstantAndRefusedForUnequalLengths) {
  EXPECT_TRUE(std::isnan(pearson({1, 1, 1}, {1, 2, 3})));
  EXPECT_TRUE(std::isnan(spearman({}, {})));
  EXPECT_THROW(pearson({1}, {1, 2}), Error);
}

}  // namespace
}  // namespace svi
