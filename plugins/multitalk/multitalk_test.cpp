#include <gmock/gmock.h>

#include "method/told_frames.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

struct MultiTalk : ::testing::Test {
  MultiTalk() { load_plugin(PLUGIN_FILE, registry); }

  std::unique_ptr<Method> method(const std::string& options = "") const {
    return registry.make<Method>(
        Document::parse("[method]\ntype = multitalk\n" + options, "test.ini"), "");
  }

  Registry registry;
};

TEST_F(MultiTalk, CarriesTwentyFiveKnownFramesAndNoAnchor) {
  const auto made = method();
  const auto plan = made->chain()->plan(3);
  EXPECT_EQ(plan.motion_frames, 25);
  EXPECT_TRUE(plan.condition.mask_all_motion);
  EXPECT_EQ(plan.condition.anchor_copies, 0);
  EXPECT_EQ(made->frames({81, 480, 640}, 10), 10 * (81 - 25) + 25);
  EXPECT_THROW(made->check_parts({"text", "image"}), ConfigError);  // a model that hears nothing
}

TEST_F(MultiTalk, FrameKHearsRowKOverEverySeam) {
  const auto rows = [](std::int64_t frames) {
    return at::arange(frames, at::kFloat).view({-1, 1}).expand({-1, 5}).contiguous();
  };
  const auto middle_of = [](const at::Tensor& told) { return told[0].select(1, 2); };
  test::expect_frame_k_is_told_k([&](const std::string& options) { return method(options); },
                                 {part::kAudio, rows, middle_of}, 3);
}

}  // namespace
}  // namespace svi
