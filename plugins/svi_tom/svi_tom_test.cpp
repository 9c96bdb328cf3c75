#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "method/told_clips.hpp"
#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

std::unique_ptr<Method> tom(const std::string& options = {}) {
  Registry registry;
  load_plugin(PLUGIN_FILE, registry);
  return registry.make<Method>(Document::parse("[method]\n" + options, "test.ini"), "svi_tom");
}

TEST(SviTom, IsAChainOfOneMotionFrameOverGreyWithAStreamOfPrompts) {
  const auto made = tom();
  const auto plan = made->chain()->plan(3);

  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.condition.anchor_copies, 0);
  EXPECT_FALSE(plan.condition.mask_all_motion);
  EXPECT_EQ(made->training().motion_frames, 1);
  EXPECT_EQ(made->prompt_of(3, 177), 3);
  EXPECT_EQ(made->frames({81, 480, 832}, 177), 14161);
}

TEST(SviTom, EveryClipIsToldItsLastFrameAloneAndItsOwnPrompt) {
  const auto clips = test::told_clips(*tom(), 4);
  const auto grey = at::zeros({1, 3, test::kToldSide, test::kToldSide});

  for (std::size_t i = 1; i < clips.size(); ++i) {
    EXPECT_TRUE(at::equal(clips[i].y, test::y_of(test::continued(clips[i - 1], 1, grey)))) << i;
    EXPECT_TRUE(at::equal(clips[i].seen, clips[i - 1].video.select(2, test::kToldFrames - 1)));
  }
  EXPECT_EQ(clips[0].prompt, "one");
  EXPECT_EQ(clips[1].prompt, "two");
  EXPECT_EQ(clips[3].prompt, "three");
}

TEST(SviTom, GreyMayBeZeroLatents) {
  const auto clips = test::told_clips(*tom("padding = zero_latents\n"), 2);
  const auto latents = clips[1].y.narrow(1, 4, 2);  // [1, 2, 3, 4, 4]

  EXPECT_EQ(latents.narrow(2, 1, 2).abs().max().item<float>(), 0);
  EXPECT_GT(latents.select(2, 0).abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace svi
