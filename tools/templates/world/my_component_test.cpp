#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<ClipSource> world(const std::string& options = "") const {
    return registry_.make<ClipSource>(
        Document::parse("[data]\ntype = my_component\n" + options, "test.ini"), "none");
  }

  Registry registry_;
  ClipShape shape_{9, 16, 32};
};

TEST_F(MyComponentTest, BeginsEveryTruthWithTheScenesImage) {
  const auto made = world();
  for (std::int64_t i = 0; i < 20; ++i) {
    const auto truth = made->truth(i, 0, 3, shape_);
    ASSERT_TRUE(truth);
    EXPECT_TRUE(at::equal(truth->select(1, 0), made->scene(i, shape_).image));
    EXPECT_LE(truth->abs().max().item<double>(), 1);
  }
}

TEST_F(MyComponentTest, TruthDoesNotDependOnWhereItIsAskedFrom) {
  const auto made = world();
  const auto whole = *made->truth(3, 0, 100, shape_);
  EXPECT_TRUE(at::equal(*made->truth(3, 40, 60, shape_), whole.narrow(1, 40, 60)));
}

TEST_F(MyComponentTest, ShowsAStripeOfTheSameWidthInEveryFrame) {
  const auto truth = *world("speed = 0.3\n")->truth(5, 0, 50, shape_);
  const auto bright = truth.gt(0).sum({0, 2, 3});  // [T]
  EXPECT_TRUE(bright.eq(3 * 16 * 32 / 8).all().item<bool>());
}

TEST_F(MyComponentTest, RefusesAWorldWithoutScenes) {
  EXPECT_THROW(world("scenes = 0\n"), ConfigError);
}

}  // namespace
}  // namespace svi
