#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "svi/core/check.hpp"
#include "svi/memory/memory_bank.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<MemoryBank> bank(const std::string& options) const {
    return registry_.make<MemoryBank>(
        Document::parse("[memory]\ntype = my_component\n" + options, "test.ini"), "");
  }
  /// Stores the errors 1, 2, ..., count.
  static void fill(MemoryBank& bank, int count) {
    for (int i = 1; i <= count; ++i) {
      BankedError error;
      error.residual = at::full({1, 1, 2, 2}, static_cast<float>(i));
      error.data_gain = -0.5;
      error.sigma = 0.5;
      bank.store(error, {});
    }
  }
  static std::set<double> recalled(const MemoryBank& bank) {
    std::set<double> values;
    for (std::uint32_t i = 0; i < 200; ++i)
      values.insert(bank.recall({.key = {1, Purpose::test, i, 0}})->mean().item<double>());
    return values;
  }

  Registry registry_;
};

TEST_F(MyComponentTest, RecallsTheLatestErrorsAlone) {
  const auto made = bank("capacity = 3\n");
  EXPECT_FALSE(made->has({}));
  EXPECT_FALSE(made->recall({}));
  fill(*made, 5);
  EXPECT_EQ(recalled(*made), (std::set<double>{-1.5, -2, -2.5}));
}

TEST_F(MyComponentTest, SaysHowFullItIs) {
  const auto made = bank("capacity = 2\n");
  EXPECT_EQ(made->statistics().entries, 0);
  fill(*made, 3);
  const auto statistics = made->statistics();
  EXPECT_EQ(statistics.entries, 2);
  EXPECT_EQ(statistics.stored, 3);
  EXPECT_EQ(statistics.evicted, 1);
  EXPECT_EQ(statistics.bytes, 2 * 4 * 4);
  EXPECT_EQ(made->limit({1, 1, 2, 2})->bytes, statistics.bytes);
  EXPECT_NEAR(statistics.mean_rms.at(0), std::sqrt((4 + 9) / 2.0), 1e-6);
  EXPECT_NEAR(statistics.data_rms, 0.5 * std::sqrt((4 + 9) / 2.0), 1e-6);
}

TEST_F(MyComponentTest, GoesOnFromItsState) {
  const auto first = bank("capacity = 3\n"), second = bank("capacity = 3\n");
  fill(*first, 4);
  second->load(first->state());
  EXPECT_EQ(second->statistics().stored, 4);
  fill(*first, 1);
  fill(*second, 1);
  EXPECT_EQ(recalled(*second), recalled(*first));
  EXPECT_THROW(second->load({{"other", at::zeros({1})}}), IoError);
}

}  // namespace
}  // namespace svi
