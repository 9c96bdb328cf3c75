#include "svi/method/rollout.hpp"

#include <gtest/gtest.h>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/chain.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

std::vector<Scene> scenes(std::int64_t count) {
  std::vector<Scene> made;
  for (std::int64_t i = 0; i < count; ++i) {
    made.push_back(
        {i,
         cat("scene", i),
         normal({5, Purpose::test, static_cast<std::uint32_t>(i), 0}, {3, 16, 16}).clamp(-1, 1),
         {"one", "two", "three"}});
  }
  return made;
}

const NoGuidance kUnguided;

at::Tensor no_text(const std::vector<std::string>& prompts) {
  return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
}

struct Rolled {
  std::vector<RolledClip> clips;
  std::int64_t frames = 0;
};

Rolled roll(ChainOptions options, RolloutConfig config, const std::vector<Scene>& films) {
  const auto vae = test::tiny_vae();
  const test::CopyingModel model;
  const EulerSampler sampler({.steps = 3, .shift = 5});
  const OptionChain method(options);
  const Studio studio{model, vae, no_text, method, sampler, kUnguided, config, {17, 16, 16}};
  Rolled film;
  roll_out(studio, films, [&](const RolledClip& clip) {
    EXPECT_EQ(clip.first_frame, film.frames);
    film.frames += clip.frames.size(2);
    film.clips.push_back(clip);
  });
  return film;
}

TEST(ChainFrames, MatchTheReferencesTotals) {
  EXPECT_EQ(chain_frames(10, 81, 1), 801);
  EXPECT_EQ(chain_frames(10, 81, 5), 765);
  EXPECT_EQ(chain_frames(50, 81, 1), 4001);
  EXPECT_EQ(chain_frames(50, 81, 5), 3805);
}

TEST(Rollout, FilmHasTheFramesThatStitchingLeavesWhicheverSideGivesWay) {
  for (const auto stitch : {Stitch::drop_tail, Stitch::drop_head}) {
    for (const std::int64_t m : {1, 5}) {
      ChainOptions options;
      options.motion_frames = m;
      options.stitch = stitch;

      const auto film = roll(options, {.clips = 3}, scenes(2));

      EXPECT_EQ(film.frames, chain_frames(3, 17, m));
      EXPECT_EQ(film.clips.back().frames.size(0), 2);
    }
  }
}

TEST(Rollout, PromptsStreamOrStay) {
  ChainOptions options;
  options.prompts = PromptOrder::stream;
  const auto stream = roll(options, {.clips = 5}, scenes(1));
  options.prompts = PromptOrder::first;
  const auto first = roll(options, {.clips = 2}, scenes(1));

  EXPECT_EQ(stream.clips[0].prompts[0], "one");
  EXPECT_EQ(stream.clips[1].prompts[0], "two");
  EXPECT_EQ(stream.clips[4].prompts[0], "three");
  EXPECT_EQ(first.clips[1].prompts[0], "one");
}

TEST(Rollout, AFilmDoesNotDependOnItsNeighboursInTheBatch) {
  const auto both = roll({}, {.clips = 1}, scenes(2));
  const auto alone = roll({}, {.clips = 1}, {scenes(2)[1]});

  // Latents: the untrained decoder amplifies the last bit of a batched kernel several hundred
  // times.
  EXPECT_LT((both.clips[0].latent[1] - alone.clips[0].latent[0]).abs().max().item<double>(), 1e-5);
}

TEST(Rollout, IsAFunctionOfSceneAndSeed) {
  const auto a = roll({}, {.clips = 2, .seed = 1}, scenes(1));
  const auto b = roll({}, {.clips = 2, .seed = 1}, scenes(1));
  const auto c = roll({}, {.clips = 2, .seed = 2}, scenes(1));

  EXPECT_TRUE(at::equal(a.clips[1].frames, b.clips[1].frames));
  EXPECT_TRUE(at::allclose(a.clips[1].frames, c.clips[1].frames, 1e-3,
                           1e-3));  // the copying model ignores noise
}

TEST(Rollout, AClipAfterAFilmsLastFramesIsItsNextClip) {
  const auto vae = test::tiny_vae();
  const test::CopyingModel model;
  const EulerSampler sampler({.steps = 3, .shift = 5});
  ChainOptions options;
  options.anchor_copies = 2;
  options.motion_frames = 5;
  const OptionChain method(options);
  const RolloutConfig config{.clips = 2, .rounding = FrameRounding::truncate};
  const Studio studio{model, vae, no_text, method, sampler, kUnguided, config, {17, 16, 16}};
  std::vector<RolledClip> clips;
  roll_out(studio, scenes(2), [&](const RolledClip& clip) { clips.push_back(clip); });

  const ClipStart start{clips[0].video.narrow(2, 12, 5),
                        at::stack({scenes(2)[0].image, scenes(2)[1].image}), clips[1].prompts};
  const auto noise = at::stack({normal({0, Purpose::rollout_noise, 0, 1}, {2, 5, 4, 4}),
                                normal({0, Purpose::rollout_noise, 1, 1}, {2, 5, 4, 4})});

  EXPECT_TRUE(at::equal(ClipChain(studio).clip_after(start, noise), clips[1].latent));
}

TEST(Rollout, AnAnchorInFrontIsDrawnAgainAndNotShown) {
  ChainOptions options;
  options.layout = ConditionLayout::anchor_first;
  options.stitch = Stitch::drop_head;
  options.motion_frames = 5;
  for (const auto handover : {Handover::latent, Handover::pixels}) {
    options.handover = handover;
    const auto film = roll(options, {.clips = 3}, scenes(1));
    EXPECT_EQ(film.frames, chain_frames(3, 17, 5));
    // The copying model draws its condition: the anchor, then what the clip before ended with.
    const auto &before = film.clips[1].latent, &after = film.clips[2].latent;
    EXPECT_LT((after.narrow(2, 0, 1) - before.narrow(2, 0, 1)).abs().max().item<double>(), 1e-5);
    if (handover == Handover::latent) {
      EXPECT_LT((after.narrow(2, 1, 1) - before.narrow(2, 4, 1)).abs().max().item<double>(), 1e-5);
    }
  }
  options.motion_frames = 4;
  EXPECT_THROW(roll(options, {.clips = 2}, scenes(1)), ConfigError);
  options.motion_frames = 5;
  options.stitch = Stitch::drop_tail;
  EXPECT_THROW(roll(options, {.clips = 2}, scenes(1)), ConfigError);
}

TEST(Rollout, RefusesMotionFramesThatFillTheClip) {
  ChainOptions options;
  options.motion_frames = 17;

  EXPECT_THROW(roll(options, {.clips = 2}, scenes(1)), Error);
}

/// Repeats its condition and remembers what it is told of a track.
class ListeningModel final : public VelocityModel {
 public:
  mutable std::vector<at::Tensor> heard, seen;
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    heard.push_back(condition["sound"]);
    seen.push_back(condition[part::kEnd]);
    EXPECT_FALSE(condition.has("unread"));
    return test::CopyingModel().velocity(noisy, timestep, condition);
  }
};

TEST(Rollout, TellsEachClipItsFramesOfTheScenesTracks) {
  const auto vae = test::tiny_vae();
  const EulerSampler sampler({.steps = 1, .shift = 5});
  ChainOptions options;
  options.motion_frames = 5;
  const OptionChain method(options);
  auto films = scenes(2);
  for (auto& scene : films) {
    scene.tracks.set("sound", at::arange(41, at::kFloat).view({41, 1}) + 100 * scene.index);
    scene.tracks.set("unread", at::zeros({1}));
  }
  const ListeningModel model;
  const auto roll_them = [&](std::int64_t clips) {
    const Studio studio{
        model,        vae, no_text,  method, sampler, kUnguided, RolloutConfig{.clips = clips},
        {17, 16, 16}, {},  {"sound"}};
    roll_out(studio, films, [](const RolledClip&) {});
  };
  roll_them(3);
  ASSERT_EQ(model.heard.size(), 3);
  for (std::int64_t clip = 0; clip < 3; ++clip) {  // frames 0 to 16, 12 to 28, 24 to 40
    const auto first = at::arange(17, at::kFloat).view({1, 17, 1}) + 12 * clip;
    EXPECT_TRUE(
        at::equal(model.heard[static_cast<std::size_t>(clip)], at::cat({first, first + 100})));
  }

  const auto message = [&](std::int64_t clips) {
    try {
      roll_them(clips);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message(4).find("scene scene0: track 'sound' has 41 frames, but 53 are needed"),
            std::string::npos);
  films[1].tracks = {};
  EXPECT_NE(message(3).find("scene scene1 has no track 'sound'"), std::string::npos);
}

// The first clip draws the last frames of the other video again, which is before the tracks begin.
TEST(Rollout, HoldsATracksFirstFrameWhereAFilmGoesOnFromAnother) {
  const auto vae = test::tiny_vae();
  const EulerSampler sampler({.steps = 1, .shift = 5});
  ChainOptions options;
  options.motion_frames = 5;
  options.stitch = Stitch::drop_head;
  const OptionChain method(options);
  auto films = scenes(1);
  films[0].tracks.set("sound", at::arange(1, 42, at::kFloat).view({41, 1}));
  const ListeningModel model;
  const Studio studio{model,     vae,          no_text,      method, sampler,
                      kUnguided, {.clips = 2}, {17, 16, 16}, {},     {"sound"}};
  const SceneScript script(studio, films);
  const FilmRequest request{films[0].image.unsqueeze(0), at::zeros({1, 3, 9, 16, 16}), 2, script};
  method.begin(studio, request)->make();
  ASSERT_EQ(model.heard.size(), 1);
  EXPECT_TRUE(
      at::equal(model.heard[0].view(-1), at::cat({at::ones({5}), at::arange(1, 13, at::kFloat)})));
}

TEST(Rollout, TellsTheLastClipTheImageAtTheEnd) {
  const auto vae = test::tiny_vae();
  const EulerSampler sampler({.steps = 2, .shift = 5});
  for (const auto stitch : {Stitch::drop_tail, Stitch::drop_head}) {
    ChainOptions options;
    options.motion_frames = 5;
    options.stitch = stitch;
    const OptionChain method(options);
    auto films = scenes(2);
    for (auto& scene : films) scene.tracks.set_end("end", -scene.image);
    const ListeningModel model;
    const Studio studio{model,     vae,          no_text,      method, sampler,
                        kUnguided, {.clips = 3}, {17, 16, 16}, {},     {"end"}};
    std::vector<std::int64_t> cost;
    roll_out(studio, films, [&](const RolledClip& clip) { cost.push_back(clip.own_evaluations); });
    ASSERT_EQ(model.seen.size(), 6);
    const auto ends = at::stack({-films[0].image, -films[1].image});
    for (std::size_t call = 0; call < 6; ++call)
      EXPECT_TRUE(at::equal(model.seen[call], call < 4 ? at::zeros_like(ends) : ends)) << call;
    EXPECT_EQ(cost, (std::vector<std::int64_t>{2, 2, 2}));
  }
}

}  // namespace
}  // namespace svi
