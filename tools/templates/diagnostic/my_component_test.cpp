#include <gtest/gtest.h>

#include "diagnose/fakes.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Diagnostic> diagnostic(const std::string& options) const {
    return registry_.make<Diagnostic>(
        Document::parse("[diagnostic]\ntype = my_component\n" + options, "test.ini"), "");
  }

  Registry registry_;
};

TEST_F(MyComponentTest, SeesAChainThatGetsBrighterWithEachClip) {
  test::FakeArm arm;
  arm.model.bias = 0.1;  // of each clip, on the frame that it begins with
  const auto report = arm.run(*diagnostic("clips = 3\nscenes = 2\n"));
  const auto values = test::values_of(report, "brightness");
  ASSERT_EQ(values.sizes(), (std::vector<std::int64_t>{3, 2}));
  for (std::int64_t clip = 0; clip < 3; ++clip)
    EXPECT_NEAR(values[clip][0].item<double>(), 0.1 * static_cast<double>(clip + 1), 1e-4);
}

TEST_F(MyComponentTest, RefusesFilmsWithoutClips) {
  EXPECT_THROW(diagnostic("clips = 0\n"), ConfigError);
}

}  // namespace
}  // namespace svi
