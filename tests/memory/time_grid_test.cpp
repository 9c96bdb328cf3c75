#include "svi/memory/time_grid.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "support/captured_log.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

RandomKey key(std::uint32_t stream, Purpose purpose = Purpose::bank_evict) {
  return {5, purpose, stream, 0};
}

BankedError error(double value, double sigma = 0.5, std::int64_t step = 0) {
  BankedError result;
  result.residual = at::full({2, 3, 4, 5}, value);
  result.data_gain = 1;
  result.noise_gain = 2;
  result.sigma = sigma;
  result.step = step;
  return result;
}

/// Every value that recall can return at the data end of one bin (all bins: no sigma).
std::set<float> values(const MemoryBank& bank, double low = 0, double high = 1) {
  std::set<float> found;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const auto recalled = bank.recall({ErrorEnd::data, low, high, key(i, Purpose::recall_image)});
    if (recalled) found.insert(recalled->flatten()[0].item<float>());
  }
  return found;
}

TEST(TimeGridBank, RecallsOnlyFromTheSameBin) {
  TimeGridBank bank({});
  bank.store(error(1, 0.9), key(0));
  bank.store(error(2, 0.1), key(1));

  EXPECT_THAT(values(bank, 0.9, 0.9), testing::ElementsAre(1));
  EXPECT_THAT(values(bank, 0.1, 0.1), testing::ElementsAre(2));
  EXPECT_THAT(values(bank), testing::ElementsAre(1, 2));
  EXPECT_FALSE(bank.has({ErrorEnd::data, 0.5, 0.5, key(0)}));
  EXPECT_FALSE(bank.recall({ErrorEnd::data, 0.5, 0.5, key(0)}).has_value());
  EXPECT_THAT(values(bank, 0.5, 1), testing::ElementsAre(1));
}

TEST(TimeGridBank, ScalesTheOneResidualForTheEndAskedFor) {
  TimeGridBank bank({});
  auto stored = error(3);
  stored.data_gain = -0.5;
  stored.noise_gain = 0.25;
  stored.data_offset = at::full({2, 3, 4, 5}, 10.0);
  bank.store(stored, key(0));

  const auto data = bank.recall({ErrorEnd::data, 0, 1, key(0)});
  const auto noise = bank.recall({ErrorEnd::noise, 0, 1, key(0)});

  EXPECT_TRUE(at::equal(*data, at::full({2, 3, 4, 5}, 8.5)));
  EXPECT_TRUE(at::equal(*noise, at::full({2, 3, 4, 5}, 0.75)));
}

TEST(TimeGridBank, DrawsUniformlyOverAllEntriesOfAllBins) {
  TimeGridBank bank({});
  for (int i = 0; i < 3; ++i) bank.store(error(1, 0.9), key(0));
  bank.store(error(2, 0.1), key(0));

  int ones = 0;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    ones += bank.recall({ErrorEnd::data, 0, 1, key(i)})->flatten()[0].item<float>() == 1;
  }

  EXPECT_NEAR(ones / 4000.0, 0.75, 0.03);
}

TEST(TimeGridBank, OldestEvictionKeepsTheNewest) {
  TimeGridBank bank({.capacity = 3, .eviction = Eviction::oldest});
  for (int i = 0; i < 8; ++i) bank.store(error(i), key(0));

  EXPECT_THAT(values(bank), testing::ElementsAre(5, 6, 7));
  EXPECT_EQ(bank.statistics().evicted, 5);
  EXPECT_EQ(bank.statistics().entries, 3);
}

TEST(TimeGridBank, RandomEvictionFollowsItsKey) {
  const TimeGridBank::Config config{.capacity = 3};
  TimeGridBank a(config), b(config), c(config);
  for (std::uint32_t i = 0; i < 20; ++i) {
    a.store(error(i), key(i));
    b.store(error(i), key(i));
    c.store(error(i), key(1000 + i));
  }

  EXPECT_EQ(values(a), values(b));
  EXPECT_NE(values(a), values(c));
}

TEST(TimeGridBank, NearestEvictionReplacesTheMostAlike) {
  TimeGridBank bank({.capacity = 3, .eviction = Eviction::nearest});
  for (const double value : {0.0, 10.0, 20.0, 11.0, 19.0}) bank.store(error(value), key(0));

  EXPECT_THAT(values(bank), testing::ElementsAre(0, 11, 19));
}

/// An error whose ends are `data` and `noise` everywhere: the residual times 1 and 2, and offsets.
BankedError with_offsets(double residual, double data, double noise) {
  auto result = error(residual);
  result.data_offset = at::full({2, 3, 4, 5}, data - residual);
  result.noise_offset = at::full({2, 3, 4, 5}, noise - 2 * residual);
  return result;
}

TEST(TimeGridBank, NearestEvictionComparesWhatWouldBeInjected) {
  TimeGridBank bank({.capacity = 2, .eviction = Eviction::nearest});
  bank.store(with_offsets(0, 16, 16), key(0));  // residuals say the first is nearest to the third,
  bank.store(with_offsets(8, 1, 1), key(1));    // what is injected says the second
  bank.store(with_offsets(0, 2, 2), key(2));

  EXPECT_THAT(values(bank), testing::ElementsAre(2, 16));
}

TEST(TimeGridBank, NearestEvictionComparesBothEnds) {
  TimeGridBank bank({.capacity = 2, .eviction = Eviction::nearest});
  bank.store(with_offsets(1, 4, 32), key(0));  // alike at the data end
  bank.store(with_offsets(1, 8, 4), key(1));
  bank.store(with_offsets(1, 5, 4), key(2));

  EXPECT_THAT(values(bank), testing::ElementsAre(4, 5));
}

TEST(TimeGridBank, NearestEvictionComparesErrorsWithAndWithoutOffsets) {
  TimeGridBank bank({.capacity = 3, .eviction = Eviction::nearest});
  bank.store(error(3), key(0));                  // 3 and 6
  bank.store(with_offsets(9, 4, 8), key(1));     // 4 and 8
  bank.store(error(9), key(2));                  // 9 and 18
  bank.store(with_offsets(9, 3.25, 6), key(3));  // of the residuals the third would be nearest

  EXPECT_THAT(values(bank), testing::ElementsAre(3.25, 4, 9));
}

TEST(TimeGridBank, TellsWhatItHoldsWhenFull) {
  const std::vector<std::int64_t> published = {16, 21, 60, 104};  // 81 frames of 480 x 832

  const auto limit = TimeGridBank({}).limit(published);

  EXPECT_EQ(limit->entries, 25000);
  EXPECT_EQ(limit->bytes, 104832000000);
  EXPECT_EQ(TimeGridBank({}).limit(published, 3)->bytes, 3 * 104832000000);
  EXPECT_EQ(
      TimeGridBank({.storage = StorageType::fp32, .byte_budget = 100}).limit(published)->entries,
      12);  // of 8 MiB less 1,620 bytes
}

TEST(TimeGridBank, StaysWithinItsByteBudgetByDroppingTheOldestOfAllBins) {
  const double bytes = 120 * 4;
  TimeGridBank bank({.storage = StorageType::fp32, .byte_budget = 3.5 * bytes / 1048576});
  for (int i = 0; i < 6; ++i) bank.store(error(i, 0.15 * i), key(0));

  EXPECT_THAT(values(bank), testing::ElementsAre(3, 4, 5));
  EXPECT_EQ(bank.statistics().bytes, 3 * bytes);
}

TEST(TimeGridBank, WarnsOnceThatItsByteBudgetIsFull) {
  const double mebibytes = 3.5 * 120 * 4 / 1048576;
  TimeGridBank bank({.bins = 7, .storage = StorageType::fp32, .byte_budget = mebibytes});
  const auto log_of_storing = [&](int first, int last) {
    const CapturedLog log;
    for (int i = first; i < last; ++i) bank.store(error(i, 0.15 * i), key(0));
    return log.text();
  };

  EXPECT_EQ(log_of_storing(0, 3), "");
  EXPECT_THAT(log_of_storing(3, 4),
              testing::HasSubstr("is full with 3 errors of at most 3500 (bins x capacity)"));
  EXPECT_EQ(log_of_storing(4, 6), "");
}

TEST(TimeGridBank, NamesTheBudgetThatHoldsNothing) {
  TimeGridBank bank({.byte_budget = 1e-5});

  EXPECT_THROW(bank.store(error(1), key(0)), ConfigError);
}

TEST(TimeGridBank, ForgetsErrorsOlderThanItsAge) {
  TimeGridBank bank({.max_age = 10});
  for (const std::int64_t step : {0, 5, 12, 15, 16})
    bank.store(error(static_cast<double>(step), 0.5, step), key(0));

  EXPECT_THAT(values(bank), testing::ElementsAre(12, 15, 16));
}

TEST(TimeGridBank, RefusesErrorsThatAreNotFinite) {
  TimeGridBank bank({});

  EXPECT_THROW(bank.store(error(std::numeric_limits<double>::quiet_NaN()), key(0)), Error);
  EXPECT_EQ(bank.statistics().entries, 0);
}

TEST(TimeGridBank, KeepsItsOwnCopy) {
  TimeGridBank bank({.storage = StorageType::fp32});
  const auto original = error(1);
  bank.store(original, key(0));
  original.residual.fill_(7);

  EXPECT_THAT(values(bank), testing::ElementsAre(1));
}

TEST(TimeGridBank, ReportsItsFillAndTheBiasItWouldTeach) {
  TimeGridBank bank({.bins = 2, .storage = StorageType::fp32});
  bank.store(error(3, 1), key(0));
  bank.store(error(-1, 0), key(0));

  const auto statistics = bank.statistics();

  EXPECT_THAT(statistics.per_bin, testing::ElementsAre(1, 1));
  EXPECT_THAT(statistics.mean_rms, testing::ElementsAre(3, 1));
  EXPECT_DOUBLE_EQ(statistics.mean_error, 1);
  EXPECT_DOUBLE_EQ(statistics.data_rms, std::sqrt(5));
  EXPECT_DOUBLE_EQ(statistics.mean_depth, 0);
}

TEST(TimeGridBank, ReportsNoStrengthOfAnEmptyBin) {
  TimeGridBank bank({.bins = 3, .storage = StorageType::fp32});
  bank.store(error(3, 1), key(0));

  EXPECT_THAT(bank.statistics().mean_rms, testing::ElementsAre(3, 0, 0));
}

TEST(TimeGridBank, RemembersWhichErrorsAreOfCleanSamples) {
  TimeGridBank bank({}), again({});
  for (const bool clean : {true, false}) {
    auto stored = error(clean ? 1 : 2);
    stored.clean = clean;
    bank.store(stored, key(0));
  }
  again.load(bank.state());

  ASSERT_EQ(again.errors().size(), 2u);
  EXPECT_TRUE(again.errors()[0].clean);
  EXPECT_FALSE(again.errors()[1].clean);
}

TEST(TimeGridBank, ReportsTheRmsOfDataErrorsWithTheirGainsAndOffsets) {
  TimeGridBank bank({.storage = StorageType::fp32});
  auto scaled = error(3), shifted = error(1);
  scaled.data_gain = -2;                              // RMS 6
  shifted.data_offset = at::full({2, 3, 4, 5}, 7.0);  // RMS 8
  bank.store(scaled, key(0));
  bank.store(shifted, key(1));

  EXPECT_NEAR(bank.statistics().data_rms, std::sqrt((36 + 64) / 2.0), 1e-6);
}

TEST(TimeGridBank, RemovesTheMeanOfTheBinAtTheEndAskedFor) {
  TimeGridBank bank({.storage = StorageType::fp32, .remove_mean = BankMean::bin});
  auto shifted = error(5, 0.9);
  shifted.data_gain = 3;  // 15 at the data end, 10 at the noise end; the other is 1 and 2
  shifted.noise_gain = 2;
  bank.store(error(1, 0.9), key(0));
  bank.store(shifted, key(1));
  bank.store(error(4, 0.1), key(2));
  bank.store(error(-2, 0.1), key(3));

  EXPECT_THAT(values(bank, 0.9, 0.9), testing::ElementsAre(-7, 7));
  EXPECT_THAT(values(bank, 0.1, 0.1), testing::ElementsAre(-3, 3));
  // Over all bins each error loses the mean of its own.
  EXPECT_THAT(values(bank), testing::ElementsAre(-7, -3, 3, 7));
  const auto noise = bank.recall({ErrorEnd::noise, 0.9, 0.9, key(0)});
  EXPECT_EQ(std::abs(noise->flatten()[0].item<float>()), 4);
  EXPECT_EQ(bank.statistics().mean_error, 0);
}

TEST(TimeGridBank, FollowsTheMeanAsErrorsComeAndGo) {
  TimeGridBank bank({.capacity = 2,
                     .eviction = Eviction::oldest,
                     .storage = StorageType::fp32,
                     .max_age = 10,
                     .remove_mean = BankMean::bin});
  bank.store(error(1, 0.5, 0), key(0));
  EXPECT_THAT(values(bank), testing::ElementsAre(0));
  bank.store(error(3, 0.5, 1), key(1));
  EXPECT_THAT(values(bank), testing::ElementsAre(-1, 1));
  bank.store(error(9, 0.5, 2), key(2));  // evicts 1
  EXPECT_THAT(values(bank), testing::ElementsAre(-3, 3));
  bank.store(error(7, 0.1, 20), key(3));  // the others are too old
  EXPECT_THAT(values(bank), testing::ElementsAre(0));
}

TEST(TimeGridBank, RecallsWithoutItsMeanAfterLoadingAsBefore) {
  const TimeGridBank::Config config{.bins = 3, .capacity = 4, .remove_mean = BankMean::bin};
  TimeGridBank whole(config), resumed(config);
  for (std::uint32_t i = 0; i < 40; ++i) {
    auto each = error(i, uniform(key(i, Purpose::sample_time)));
    whole.store(each, key(i));
    whole.recall({ErrorEnd::data, 0, 1, key(i)});  // whatever it caches on the way
  }
  resumed.load(whole.state());

  for (std::uint32_t i = 0; i < 50; ++i) {
    const Recall request{ErrorEnd::data, 0, 1, key(i, Purpose::recall_image)};
    EXPECT_TRUE(at::equal(*whole.recall(request), *resumed.recall(request)));
  }
}

TEST(TimeGridBank, RemovesTheMeanOfErrorsOfTheSameSize) {
  TimeGridBank bank({.bins = 1, .storage = StorageType::fp32, .remove_mean = BankMean::bin});
  auto longer = error(5);
  longer.residual = at::full({2, 6, 4, 5}, 5.0);
  bank.store(error(1), key(0));
  bank.store(error(4), key(1));
  bank.store(longer, key(2));

  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto recalled = bank.recall({ErrorEnd::data, 0, 1, key(i, Purpose::recall_image)});
    ASSERT_TRUE(recalled.has_value());
    const auto wanted = recalled->size(1) == 6 ? 0.0F : 1.5F;
    EXPECT_EQ(recalled->abs().min().item<float>(), wanted);
    EXPECT_EQ(recalled->abs().max().item<float>(), wanted);
  }
}

TEST(TimeGridBank, HasAnErrorThatLiesInTheLastBinOfTheRange) {
  TimeGridBank bank({});
  bank.store(error(1, 0.1), key(0));

  EXPECT_TRUE(bank.has({ErrorEnd::data, 0.1, 0.9, key(0)}));
  EXPECT_TRUE(bank.has({ErrorEnd::data, 0.1, 0.1, key(0)}));
  EXPECT_FALSE(bank.has({ErrorEnd::data, 0.3, 0.9, key(0)}));
}

TEST(TimeGridBank, ReportsTheRmsOverAllErrorsOfABin) {
  TimeGridBank bank({.bins = 1});
  for (const double value : {1, 2, 2, 4, 5}) bank.store(error(value), key(0));

  EXPECT_NEAR(bank.statistics().mean_rms[0], std::sqrt(50 / 5.0), 1e-6);
  EXPECT_NEAR(bank.statistics().data_rms, std::sqrt(50 / 5.0), 1e-6);
}

TEST(TimeGridBank, ForgetsAfterOneStepIfAsked) {
  TimeGridBank bank({.max_age = 1});
  for (const std::int64_t step : {0, 1, 2}) {
    bank.store(error(static_cast<double>(step), 0.5, step), key(0));
  }

  EXPECT_THAT(values(bank), testing::ElementsAre(1, 2));
}

TEST(TimeGridBank, KeepsTheDepthOfErrors) {
  TimeGridBank bank({}), again({});
  for (std::int64_t depth : {0, 5}) {
    auto each = error(static_cast<double>(depth));
    each.depth = depth;
    bank.store(each, key(0));
  }
  again.load(bank.state());

  EXPECT_EQ(again.statistics().mean_depth, 2.5);
  for (std::uint32_t i = 0; i < 20; ++i) {
    const auto recalled = again.recall_entry({ErrorEnd::data, 0, 1, key(i)});
    EXPECT_EQ(static_cast<float>(recalled->depth), recalled->error.flatten()[0].item<float>());
  }
}

TEST(TimeGridBank, LoadsStatesFromBeforeErrorsHadADepth) {
  TimeGridBank bank({}), again({});
  auto each = error(3);
  each.depth = 4;
  bank.store(each, key(0));
  auto state = bank.state();
  state[1].second = state[1].second.narrow(1, 0, 9);

  again.load(state);

  EXPECT_THAT(values(again), testing::ElementsAre(3));
  EXPECT_EQ(again.statistics().mean_depth, 0);
}

TEST(TimeGridBank, GivesAllErrorsInTheOrderOfArrival) {
  TimeGridBank bank({.capacity = 2, .eviction = Eviction::oldest});
  for (int i = 0; i < 6; ++i) bank.store(error(i, i % 2 == 0 ? 0.9 : 0.1, i), key(0));

  std::vector<std::int64_t> steps;
  for (const auto& each : bank.errors()) steps.push_back(each.step);

  EXPECT_THAT(steps, testing::ElementsAre(2, 3, 4, 5));
}

BankedError random_error(std::uint32_t i) {
  BankedError result;
  result.residual = normal(key(i, Purpose::test), {2, 3, 4, 5});
  if (i % 3 == 0) result.data_offset = normal(key(i + 500, Purpose::test), {2, 3, 4, 5});
  if (i % 6 == 0) result.noise_offset = result.data_offset;
  if (i % 5 == 1) result.noise_offset = normal(key(i + 900, Purpose::test), {2, 3, 4, 5});
  result.sigma = uniform(key(i, Purpose::sample_time));
  result.data_gain = -result.sigma;
  result.noise_gain = 1 - result.sigma;
  result.step = i;
  result.sample = i % 7;
  result.clean = i % 2 == 0;
  result.depth = i % 4;
  return result;
}

TEST(TimeGridBank, BehavesAfterLoadingAsIfNeverInterrupted) {
  for (const auto eviction : {Eviction::random, Eviction::oldest, Eviction::nearest}) {
    const TimeGridBank::Config config{
        .bins = 5, .capacity = 6, .eviction = eviction, .byte_budget = 0.004, .max_age = 60};
    TimeGridBank whole(config), resumed(config);
    for (std::uint32_t i = 0; i < 70; ++i) whole.store(random_error(i), key(i));
    const auto state = whole.state();
    for (std::uint32_t i = 70; i < 140; ++i) whole.store(random_error(i), key(i));

    resumed.load(state);
    for (std::uint32_t i = 70; i < 140; ++i) resumed.store(random_error(i), key(i));

    const auto expected = whole.state();
    const auto actual = resumed.state();
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(actual[i].first, expected[i].first);
      EXPECT_TRUE(at::equal(actual[i].second, expected[i].second)) << expected[i].first;
    }
    EXPECT_EQ(resumed.statistics().bytes, whole.statistics().bytes);
  }
}

TEST(TimeGridBank, NamesWhatIsWrongWithAState) {
  TimeGridBank bank({.bins = 5}), other({.bins = 6}), small({.bins = 5, .capacity = 1});
  for (std::uint32_t i = 0; i < 30; ++i) bank.store(random_error(i), key(i));
  auto missing = bank.state();
  missing.erase(missing.begin() + 4);

  EXPECT_THROW(other.load(bank.state()), IoError);
  EXPECT_THROW(small.load(bank.state()), IoError);
  EXPECT_THROW(bank.load(missing), IoError);
  EXPECT_THROW(bank.load({}), IoError);
}

TEST(TimeGridBank, RefusesDamagedNumbersAndSizesOfAState) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  TimeGridBank bank({.bins = 5});
  bank.store(error(1), key(0));
  const auto damaged = [&](std::int64_t column, double value) {
    auto state = bank.state();
    state[1].second = state[1].second.clone();
    state[1].second[0][column] = value;
    return state;
  };
  auto empty = bank.state(), offset = damaged(8, 1);
  empty[2].second = at::zeros({2, 0, 4, 5});
  offset.emplace_back("time_grid.000000.data_offset", at::zeros({2, 3, 4, 6}));

  for (const std::int64_t column : {0, 1, 2, 3, 8, 9}) {
    EXPECT_THROW(bank.load(damaged(column, kNaN)), IoError) << column;
    EXPECT_THROW(bank.load(damaged(column, 1e300)), IoError) << column;
  }
  EXPECT_THROW(bank.load(damaged(5, 2)), IoError);  // sigma
  EXPECT_THROW(bank.load(empty), IoError);
  EXPECT_THROW(bank.load(offset), IoError);
  EXPECT_EQ(bank.statistics().entries, 1);
}

}  // namespace
}  // namespace svi
