#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "method/told_frames.hpp"
#include "support/ffmpeg_program.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

class TalkFilmTest : public ::testing::Test {
 protected:
  TalkFilmTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Method> method(const std::string& options = {}) const {
    return registry_.make<Method>(
        Document::parse("[method]\ntype = svi_talk\n" + options, "test.ini"), "");
  }

  Registry registry_;
};

// Frame k of the film hears row k: over every seam, with any overlap, whichever clip gives way.
TEST_F(TalkFilmTest, FrameKHearsRowKOverEverySeam) {
  const auto windows = [](std::int64_t frames) {
    return at::arange(frames, at::kFloat).view({-1, 1}).expand({-1, 5}).contiguous();
  };
  const auto middle_of = [](const at::Tensor& told) { return told[0].select(1, 2); };
  test::expect_frame_k_is_told_k([&](const std::string& options) { return method(options); },
                                 {part::kAudio, windows, middle_of}, 4);
}

TEST_F(TalkFilmTest, IsAChainOfOneMotionFrameWithTheImageAsAnchor) {
  const auto made = method();
  const auto plan = made->chain()->plan(3);
  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.condition.anchor_copies, -1);
  EXPECT_FALSE(plan.condition.mask_all_motion);
  EXPECT_EQ(made->frames({81, 480, 640}, 10), 801);
  try {
    made->check_parts({"text", "image"});
    FAIL() << "a model that hears nothing was taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("Add the [extension.NAME] that reads it"));
  }
  EXPECT_TRUE(made->needs().no_before);
}

TEST_F(TalkFilmTest, AFaceOpensItsMouthAsWideAsItsSoundIsLoud) {
  const auto world = registry_.make<ClipSource>(
      Document::parse("[data]\ntype = talking_face\nframes = 60\n", "test.ini"), "none");
  const ClipShape shape{5, 32, 32, 25};
  const auto scene = world->scene(3, shape);
  ASSERT_EQ(scene.tracks["audio"].sizes(), (std::vector<std::int64_t>{60, 5, 1, 16}));
  const auto loud = scene.tracks["audio"].select(1, 2).select(1, 0).select(1, 0);  // [60]
  const auto truth = *world->truth(3, 0, 60, shape);
  EXPECT_TRUE(at::equal(truth.select(1, 0), scene.image));
  // A mouth is darker than the skin around it: the darker the frame, the wider it is open.
  const auto dark = -truth[1].mean(at::IntArrayRef{1, 2});
  const auto order = std::get<1>(loud.sort());
  const auto sorted = dark.index_select(0, order);
  EXPECT_TRUE((sorted.diff() > -1e-5).all().item<bool>());
  EXPECT_GT((sorted[-1] - sorted[0]).item<double>(), 0.02);
  EXPECT_FALSE(world->truth(3, 58, 5, shape).has_value());

  // A training clip lies in the middle of its sound, and its windows tell what is around it.
  const auto clip = world->training_clip(1, 7, shape);
  const auto windows = clip.tracks["audio"];
  EXPECT_EQ(windows.sizes(), (std::vector<std::int64_t>{5, 5, 1, 16}));
  EXPECT_TRUE(at::equal(windows[1][1], windows[0][2]));
  EXPECT_FALSE(at::equal(windows[0][0], windows[0][2]));
}

// A frame that flashes while its sound clicks: whichever clip is cut out, both stay together.
TEST_F(TalkFilmTest, AFolderOfTalksKeepsEachFrameWithItsSound) {
  const TemporaryFolder folder;
  ffmpeg(
      "-f lavfi -i color=black:size=48x32:rate=25:duration=2 -f lavfi -i "
      "\"aevalsrc='0.9*between(t,0.81,0.83)+0.001*(random(0)-0.5)':s=44100:d=2\" "
      "-vf \"drawbox=color=white:t=fill:enable='eq(n,20)'\" -c:v ffv1 -c:a pcm_s16le " +
      folder / "talk.mkv");
  const auto world = registry_.make<ClipSource>(
      Document::parse(
          "[data]\ntype = talk_folder\nlayers = 1\naudio_dim = 4\npath = " + (folder / "") + "\n",
          "test.ini"),
      "none");
  const ClipShape shape{31, 32, 32, 25};
  std::set<std::int64_t> places;
  for (std::int64_t draw = 0; draw < 40; ++draw) {
    const auto clip = world->training_clip(1, draw, shape);
    ASSERT_EQ(clip.tracks["audio"].sizes(), (std::vector<std::int64_t>{31, 5, 1, 4}));
    const auto seen = clip.video.mean(at::IntArrayRef{0, 2, 3}).argmax().item<std::int64_t>();
    const auto heard =
        clip.tracks["audio"].select(1, 2).select(1, 0).select(1, 0).argmax().item<std::int64_t>();
    EXPECT_EQ(seen, 20 - clip.first_frame);
    EXPECT_EQ(heard, seen);
    places.insert(seen);
  }
  EXPECT_GT(places.size(), 5u);
  const auto scene = world->scene(0, shape);
  EXPECT_EQ(scene.prompts.front(), "a person is talking");
  EXPECT_EQ(scene.tracks["audio"].size(0), 50);
  EXPECT_THROW(world->training_clip(1, 0, {31, 32, 32, 0}), ConfigError);
}

}  // namespace
}  // namespace svi
