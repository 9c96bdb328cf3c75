#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/injection/injection_policy.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<InjectionPolicy> policy(const std::string& options) const {
    return registry_.make<InjectionPolicy>(
        Document::parse("[injection]\ntype = my_component\n" + options, "test.ini"), "none");
  }
  static int hits(const InjectionPolicy& policy) {
    int count = 0;
    for (std::uint32_t sample = 0; sample < 1000; ++sample) {
      const auto drawn = policy.draw({1, sample, 7, 100, 0.5});
      EXPECT_EQ(drawn.noise.hit, drawn.latent.hit);
      EXPECT_EQ(drawn.noise.hit, drawn.image.hit);
      EXPECT_EQ(drawn.noise.hit, !drawn.clean);
      count += drawn.noise.hit;
    }
    return count;
  }

  Registry registry_;
};

TEST_F(MyComponentTest, HitsAsOftenAsItIsTold) {
  EXPECT_EQ(hits(*policy("probability = 0\n")), 0);
  EXPECT_EQ(hits(*policy("probability = 1\n")), 1000);
  EXPECT_NEAR(hits(*policy("probability = 0.3\n")), 300, 60);  // four standard deviations
}

TEST_F(MyComponentTest, RefusesWhatIsNoProbability) {
  EXPECT_THROW(policy("probability = 1.5\n"), ConfigError);
}

}  // namespace
}  // namespace svi
