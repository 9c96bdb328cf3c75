#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/assembler.hpp"
#include "svi/method/rollout.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/sampler/unipc.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

constexpr std::int64_t kSteps = 8, kLatents = 3;

/// Knows what is clean, 0.25 everywhere, and leads there from any level; remembers the levels.
class Knowing final : public VelocityModel {
 public:
  mutable std::vector<at::Tensor> levels;  // of passes with a time for each frame, [f]

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition&) const override {
    const auto sigma = timestep / 1000;
    if (timestep.dim() == 2) levels.push_back(sigma[0].clone());
    const auto F = timestep.dim() == 2 ? noisy.size(2) : 1;
    const auto divisor = sigma.view({noisy.size(0), 1, F, 1, 1}).clamp_min(1e-6);
    return (noisy - 0.25) / divisor;
  }
};

/// Leads to what the condition shows in its known frame, so that a film depends on all that is
/// kept.
class Following final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto& y = condition[part::kImage];
    const auto known = y.narrow(1, y.size(1) - noisy.size(1), noisy.size(1)).narrow(2, 0, 1);
    const auto F = timestep.dim() == 2 ? noisy.size(2) : 1;
    const auto sigma = (timestep / 1000).view({noisy.size(0), 1, F, 1, 1});
    return (noisy - 0.9 * known) / sigma.clamp_min(0.05);
  }
};

struct NoiseRolling : testing::Test {
  NoiseRolling() {
    load_plugin(PLUGIN_FILE, registry);
    scenes = {
        {0, "scene", normal({6, Purpose::test, 0, 0}, {3, 16, 16}).clamp(-1, 1), {"one", "two"}}};
  }

  std::unique_ptr<Method> method(const std::string& options = "") const {
    return registry.make<Method>(
        Document::parse("[method]\ntype = noise_rolling\n" + options, "test.ini"), "");
  }
  Studio studio(const Method& made, const VelocityModel& model, std::int64_t clips) const {
    const auto no_text = [](const std::vector<std::string>& prompts) {
      return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
    };
    return {model, vae, no_text, made, sampler, unguided, {.clips = clips}, {9, 16, 16}};
  }
  std::vector<RolledClip> roll(const std::string& options, const VelocityModel& model,
                               std::int64_t clips) const {
    const auto made = method(options);
    std::vector<RolledClip> rolled;
    roll_out(studio(*made, model, clips), scenes,
             [&](const RolledClip& clip) { rolled.push_back(clip); });
    return rolled;
  }

  Registry registry;
  WanVae vae = test::tiny_vae();
  EulerSampler sampler{{.steps = kSteps, .shift = 3}};
  NoGuidance unguided;
  std::vector<Scene> scenes;
};

TEST_F(NoiseRolling, ComesToTheCleanFrameFromEveryLevel) {
  for (const auto* options : {"", "lookahead = off\nwindow = 4\n", "warm_up = off\n"}) {
    const Knowing model;
    const auto film = roll(options, model, 3);
    ASSERT_EQ(film.size(), 3u);
    EXPECT_EQ(film[0].frames.size(2), 9);
    EXPECT_EQ(film[1].frames.size(2), 8);
    EXPECT_EQ(film[2].first_frame, 17);
    // The very first latent is the image; all that left the queue is clean.
    const auto made = at::cat({film[0].latent.narrow(2, 1, 2), film[1].latent, film[2].latent}, 2);
    EXPECT_LT((made - 0.25).abs().max().item<double>(), 2e-6) << options;
  }
}

TEST_F(NoiseRolling, EachSlotStepsToTheLevelOfTheOneBeforeIt) {
  const Knowing model;
  roll("lookahead = off\nwindow = 4\n", model, 1);
  const auto table = at::tensor(std::vector<float>(sampler.sigmas())).flip(0);  // rising
  ASSERT_EQ(model.levels.size() % 2, 0u);
  for (std::size_t i = 0; i < model.levels.size(); i += 2) {
    const auto levels = at::cat({model.levels[i], model.levels[i + 1]});
    EXPECT_TRUE(at::allclose(levels, table, 0, 1e-7));  // the same in every iteration
  }
}

TEST_F(NoiseRolling, LookaheadShowsEachMovedFrameCleanerOnes) {
  const Knowing model;
  roll("window = 4\n", model, 1);
  for (const auto& levels : model.levels) {
    ASSERT_EQ(levels.size(0), 4);
    EXPECT_TRUE(levels.narrow(0, 0, 3).le(levels.narrow(0, 1, 3)).all().item<bool>());
  }
  EXPECT_EQ(model.levels.front().narrow(0, 0, 2).abs().max().item<float>(), 0);  // frames that left
}

TEST_F(NoiseRolling, CostsAsManyPassesAsItsWindowsAndIterations) {
  const auto evaluations = [&](const std::string& options, std::int64_t clips) {
    const Knowing model;
    return roll(options, model, clips).back().evaluations;
  };
  const auto new_frames = kLatents - 1, warm_up = kSteps - kLatents + 1;
  // The first clip takes a pass a step; an iteration takes a pass a window: T / f, or with
  // lookahead T / (f / 2).
  EXPECT_EQ(evaluations("window = 4\nlookahead = off\n", 1), kSteps + (warm_up + new_frames) * 2);
  EXPECT_EQ(evaluations("window = 4\n", 3), kSteps + (warm_up + 3 * new_frames) * 4);
  EXPECT_EQ(evaluations("window = 4\nwarm_up = off\n", 2), kSteps + 2 * new_frames * 4);
}

TEST_F(NoiseRolling, KeepsTheSizeOfItsState) {
  const Knowing model;
  const auto made = method();
  const auto s = studio(*made, model, 3);
  const SceneScript script(s, scenes);
  const FilmRequest request{scenes[0].image.unsqueeze(0), {}, 3, script};
  const auto film = made->begin(s, request);
  film->accept(film->make(), {});
  const auto sizes = [&] {
    std::string all;
    for (const auto& [name, tensor] : film->state()) all += cat(name, tensor.sizes(), " ");
    return all;
  };
  const auto before = sizes();
  film->accept(film->make(), {});
  EXPECT_EQ(sizes(), before);
}

TEST_F(NoiseRolling, GoesOnFromItsStateWithTheSameBits) {
  const Following model;
  const auto made = method();
  const auto s = studio(*made, model, 4);
  const SceneScript script(s, scenes);
  const FilmRequest request{scenes[0].image.unsqueeze(0), {}, 4, script};
  std::vector<at::Tensor> whole;
  NamedTensors state;
  const auto film = made->begin(s, request);
  while (film->upcoming()) {
    if (whole.size() == 2) {
      for (const auto& [name, tensor] : film->state()) state.emplace_back(name, tensor.clone());
    }
    whole.push_back(film->make());
    film->accept(whole.back(), {});
  }
  const auto again = made->begin(s, request);
  for (const auto i : {0, 1}) again->accept(whole[static_cast<std::size_t>(i)], {});
  again->load(state, 2);
  for (std::size_t i = 2; again->upcoming(); ++i) {
    const auto latent = again->make();
    EXPECT_TRUE(at::equal(latent, whole[i]));
    again->accept(latent, {});
  }

  const auto lost = made->begin(s, request);
  lost->accept(whole[0], {});
  EXPECT_THROW(lost->make(), Error);  // without its state
  state.front().second = at::zeros({1});
  EXPECT_THROW(lost->load(state, 1), IoError);
}

TEST_F(NoiseRolling, RefusesWhatItCannotDo) {
  const auto refusal = [&](const std::string& options, const Sampler& with, ClipShape shape) {
    try {
      method(options)->check(shape, 4, with);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  using testing::HasSubstr;
  EXPECT_EQ(refusal("", sampler, {9, 16, 16}), "accepted");
  EXPECT_THAT(refusal("window = 6\n", sampler, {9, 16, 16}), HasSubstr("6 or 9"));
  EXPECT_THAT(refusal("", UniPcSampler({}), {9, 16, 16}), HasSubstr("type = euler"));
  EXPECT_THAT(refusal("", sampler, {1, 16, 16}), HasSubstr("at least 5 frames"));
  EXPECT_THAT(refusal("window = 1\n", sampler, {9, 16, 16}), HasSubstr("lookahead = off"));
}

}  // namespace
}  // namespace svi
