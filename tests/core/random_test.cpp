#include "svi/core/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace svi {
namespace {

// Known answers of Random123's philox4x32_10 (Salmon et al. 2011): counter and key all zero, all
// ones.
TEST(Philox, MatchesThePublishedKnownAnswers) {
  const auto zeros = philox({0, static_cast<Purpose>(0), 0, 0}, 0);
  EXPECT_EQ(zeros, (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));

  const auto ones = philox({~0ull, static_cast<Purpose>(~0u), ~0u, ~0u}, ~0u);
  EXPECT_EQ(ones, (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Random, IsAFunctionOfTheKeyAlone) {
  const RandomKey key{7, Purpose::test, 3, 11};

  EXPECT_EQ(uniform(key, 5), uniform(key, 5));
  EXPECT_NE(uniform(key, 5), uniform(key, 6));
  EXPECT_NE(uniform(key), uniform({7, Purpose::test, 3, 12}));
  EXPECT_NE(uniform(key), uniform({7, Purpose::test, 4, 11}));
  EXPECT_NE(uniform(key), uniform({8, Purpose::test, 3, 11}));
  EXPECT_NE(uniform(key), uniform({7, Purpose::sample_noise, 3, 11}));
}

TEST(Random, PrefixOfASequenceDoesNotDependOnItsLength) {
  float longer[101], shorter[50];
  fill_normal({1, Purpose::test, 0, 0}, longer, 101);
  fill_normal({1, Purpose::test, 0, 0}, shorter, 50);

  for (int i = 0; i < 50; ++i) EXPECT_EQ(longer[i], shorter[i]);
}

TEST(Random, NormalHasTheMomentsOfANormal) {
  constexpr int kCount = 1 << 20;
  std::vector<float> values(kCount);
  fill_normal({2, Purpose::test, 0, 0}, values.data(), kCount);

  double sum = 0, square = 0, fourth = 0;
  for (const double v : values) sum += v, square += v * v, fourth += v * v * v * v;

  EXPECT_NEAR(sum / kCount, 0, 4e-3);
  EXPECT_NEAR(square / kCount, 1, 6e-3);
  EXPECT_NEAR(fourth / kCount, 3, 5e-2);
}

TEST(Random, UniformIndexCoversItsRangeEvenly) {
  std::array<int, 7> counts{};
  for (std::uint32_t i = 0; i < 70000; ++i) ++counts[uniform_index({3, Purpose::test, 0, 0}, 7, i)];

  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(Random, DerivedSeedsDiffer) {
  std::set<std::uint64_t> seeds;
  for (std::uint64_t salt = 0; salt < 1000; ++salt) seeds.insert(derive_seed(42, salt));

  EXPECT_EQ(seeds.size(), 1000u);
}

TEST(Permutation, HoldsEveryNumberOnceAndDependsOnTheKey) {
  auto order = permutation({1, Purpose::data_order, 0, 0}, 1000);
  EXPECT_NE(order, permutation({1, Purpose::data_order, 1, 0}, 1000));
  EXPECT_EQ(order, permutation({1, Purpose::data_order, 0, 0}, 1000));

  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(permutation({1, Purpose::data_order, 0, 0}, 1), std::vector<std::int64_t>{0});
}

}  // namespace
}  // namespace svi
