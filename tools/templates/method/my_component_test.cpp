#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Method> method(const std::string& options) const {
    return registry_.make<Method>(
        Document::parse("[method]\ntype = my_component\n" + options, "test.ini"), "");
  }

  Registry registry_;
};

TEST_F(MyComponentTest, PadsEveryNthClipWithTheImage) {
  const auto made = method("every = 3\nanchor_copies = 1\n");
  ASSERT_NE(made->chain(), nullptr);
  for (std::int64_t clip = 0; clip < 10; ++clip) {
    const bool whole = clip == 3 || clip == 6 || clip == 9;
    EXPECT_EQ(made->chain()->plan(clip).condition.anchor_copies, whole ? -1 : 1) << clip;
  }
}

TEST_F(MyComponentTest, MakesFilmsAsLongAsAnyChain) {
  EXPECT_EQ(method("motion_frames = 2\n")->frames({9, 16, 16}, 3), 3 * (9 - 2) + 2);
}

TEST_F(MyComponentTest, RefusesToPadEveryZerothClip) {
  EXPECT_THROW(method("every = 0\n"), ConfigError);
}

}  // namespace
}  // namespace svi
