#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "method/told_frames.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

class DanceFilmTest : public ::testing::Test {
 protected:
  DanceFilmTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Method> method(const std::string& options = {}) const {
    return registry_.make<Method>(
        Document::parse("[method]\ntype = svi_dance\n" + options, "test.ini"), "");
  }

  Registry registry_;
};

// Frame k of the film shows pose k: over every seam, with any overlap, whichever clip gives way.
TEST_F(DanceFilmTest, FrameKShowsPoseKOverEverySeam) {
  const auto levels = [](std::int64_t frames) {
    return at::arange(frames, at::kByte).view({-1, 1, 1, 1}).expand({-1, 3, 16, 16}).contiguous();
  };
  const auto level_of = [](const at::Tensor& told) {
    return (told[0].flatten(1).select(1, 0) + 1) * 127.5;
  };
  test::expect_frame_k_is_told_k([&](const std::string& options) { return method(options); },
                                 {part::kPose, levels, level_of, 1e-3}, 6);
}

TEST_F(DanceFilmTest, IsAChainOfOneMotionFrameWithTheImageAsAnchor) {
  const auto made = method();
  const auto plan = made->chain()->plan(3);
  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.condition.anchor_copies, -1);
  EXPECT_FALSE(plan.condition.mask_all_motion);
  EXPECT_EQ(made->frames({81, 832, 480}, 10), 801);
  try {
    made->check_parts({"text", "image"});
    FAIL() << "a model that sees no pose was taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("Add the [extension.NAME] that reads it"));
  }
  EXPECT_TRUE(made->needs().no_before);
  const auto settings = made->film_settings();
  EXPECT_THAT(settings, ::testing::Contains(std::pair<std::string, std::string>("film.fps", "25")));
  EXPECT_THAT(settings,
              ::testing::Contains(std::pair<std::string, std::string>("guidance.scale", "2")));
}

TEST_F(DanceFilmTest, APersonIsWhereItsSkeletonIs) {
  const auto world = registry_.make<ClipSource>(
      Document::parse("[data]\ntype = stick_figure\nframes = 14\n", "test.ini"), "none");
  const ClipShape shape{5, 64, 48, 25};
  const auto scene = world->scene(3, shape);
  const auto poses = scene.tracks.slice(0, 14)["pose"];
  ASSERT_EQ(poses.sizes(), (std::vector<std::int64_t>{14, 3, 64, 48}));
  const auto truth = *world->truth(3, 0, 14, shape);
  EXPECT_TRUE(at::equal(truth.select(1, 0), scene.image));
  // Where a skeleton is drawn, something else than the ground is seen.
  const auto ground = truth.select(2, 0).select(2, 0).select(1, 0).view({3, 1, 1, 1});
  const auto person = (truth - ground).abs().amax(0).gt(0.1);  // [T, H, W]
  const auto skeleton = poses.amax(1).gt(0.2);                 // [T, H, W]
  const auto covered = (person & skeleton).sum().item<double>() / skeleton.sum().item<double>();
  EXPECT_GT(covered, 0.8);
  // It moves, and its parts are read alike whatever was read before.
  EXPECT_GT((truth.select(1, 0) - truth.select(1, 10)).abs().mean().item<double>(), 0.01);
  EXPECT_TRUE(at::equal(scene.tracks.slice(7, 5)["pose"], poses.narrow(0, 7, 5)));
  EXPECT_FALSE(world->truth(3, 12, 5, shape).has_value());

  const auto clip = world->training_clip(1, 7, shape);
  EXPECT_EQ(clip.tracks["pose"].sizes(), (std::vector<std::int64_t>{5, 3, 64, 48}));
  EXPECT_TRUE(at::equal(clip.video, world->training_clip(1, 7, shape).video));
  EXPECT_FALSE(at::equal(clip.video, world->training_clip(1, 8, shape).video));
}

}  // namespace
}  // namespace svi
