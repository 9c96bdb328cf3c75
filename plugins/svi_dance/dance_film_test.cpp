#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/chain.hpp"
#include "svi/method/rollout.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/sampler/euler.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

/// Leaves the noise as it is, so that every frame is another; remembers what it was shown.
class Watching final : public VelocityModel {
 public:
  mutable std::vector<at::Tensor> poses;  // [T] of each clip, levels
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& told) const override {
    poses.push_back((told[part::kPose][0].flatten(1).select(1, 0) + 1) * 127.5);
    return at::zeros_like(noisy);
  }
};

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
  const auto vae = test::tiny_vae();
  const EulerSampler sampler({.steps = 1, .shift = 1});
  const NoGuidance unguided;
  const auto no_text = [](const std::vector<std::string>& prompts) {
    return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
  };
  constexpr std::int64_t kClips = 6, kFrames = 9;
  for (const std::int64_t m : {1, 3, 5}) {
    for (const auto* stitch : {"drop_tail", "drop_head"}) {
      const auto made = method(cat("motion_frames = ", m, "\nstitch = ", stitch, "\n"));
      const Watching model;
      const Studio studio{model,
                          vae,
                          no_text,
                          *made,
                          sampler,
                          unguided,
                          {.clips = kClips},
                          {kFrames, 16, 16},
                          {},
                          {std::string(part::kPose)}};
      const auto frames = made->frames({kFrames, 16, 16}, kClips);
      Tracks tracks;
      tracks.set(
          std::string(part::kPose),
          at::arange(frames, at::kByte).view({-1, 1, 1, 1}).expand({-1, 3, 16, 16}).contiguous());
      const std::vector<Scene> scenes = {{0, "scene", at::zeros({3, 16, 16}), {"one"}, tracks}};
      std::int64_t film = 0;
      roll_out(studio, scenes, [&](const RolledClip& clip) {
        EXPECT_EQ(clip.first_frame, film);
        const auto& poses = model.poses.at(static_cast<std::size_t>(clip.clip));
        ASSERT_EQ(poses.size(0), kFrames);
        std::int64_t skipped = 0;  // the first frame of the clip that the film shows
        while (!at::equal(clip.video.select(2, skipped), clip.frames.select(2, 0))) ++skipped;
        for (std::int64_t t = 0; t < clip.frames.size(2); ++t, ++film)
          EXPECT_NEAR(poses[skipped + t].item<double>(), static_cast<double>(film), 1e-3)
              << m << stitch;
      });
      EXPECT_EQ(film, frames);
    }
  }
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
