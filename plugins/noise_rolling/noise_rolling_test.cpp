#include <gmock/gmock.h>

#include "method/whole_films.hpp"
#include "svi/sampler/unipc.hpp"

namespace svi {
namespace {

constexpr std::int64_t kSteps = 8, kLatents = 3;

using test::Knowing;
using test::Mixing;

struct NoiseRolling : test::MethodTest {
  NoiseRolling() : MethodTest(PLUGIN_FILE, "noise_rolling", kSteps) {}

  /// Levels of passes with a time for each frame: those of the queue.
  static std::vector<at::Tensor> of_queue(const Knowing& model) {
    return {model.levels.begin() + kSteps, model.levels.end()};  // behind the first clip
  }
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
  const auto queue = of_queue(model);
  ASSERT_EQ(queue.size() % 2, 0u);
  for (std::size_t i = 0; i < queue.size(); i += 2) {
    const auto levels = at::cat({queue[i], queue[i + 1]});
    EXPECT_TRUE(at::allclose(levels, table, 0, 1e-7));  // the same in every iteration
  }
}

TEST_F(NoiseRolling, LookaheadShowsEachMovedFrameCleanerOnes) {
  const Knowing model;
  roll("window = 4\n", model, 1);
  for (const auto& levels : of_queue(model)) {
    ASSERT_EQ(levels.size(0), 4);
    EXPECT_TRUE(levels.narrow(0, 0, 3).le(levels.narrow(0, 1, 3)).all().item<bool>());
  }
  // Frames that left.
  EXPECT_EQ(of_queue(model).front().narrow(0, 0, 2).abs().max().item<float>(), 0);
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
  const Mixing model;
  for (const auto* options : {"", "schedule = rolling\n", "start = noise\nwindow = 4\n"})
    expect_goes_on(options, model, 4);
}

TEST_F(NoiseRolling, RefusesStatesOfOtherFilms) {
  const Mixing model;
  const auto made = method();
  const auto s = studio(*made, model, 4);
  const SceneScript script(s, scenes);
  const FilmRequest request{scenes[0].image.unsqueeze(0), {}, 4, script};
  const auto film = made->begin(s, request);
  const std::vector<at::Tensor> whole = {film->make()};
  film->accept(whole[0], {});
  NamedTensors state;
  for (const auto& [name, tensor] : film->state()) state.emplace_back(name, tensor.clone());
  const auto lost = made->begin(s, request);
  lost->accept(whole[0], {});
  EXPECT_THROW(lost->make(), Error);  // without its state
  state.front().second = at::zeros({1});
  EXPECT_THROW(lost->load(state, 1), IoError);
}

TEST_F(NoiseRolling, RefusesWhatItCannotDo) {
  using ::testing::HasSubstr;
  EXPECT_EQ(refusal(""), "accepted");
  EXPECT_THAT(refusal("window = 6\n"), HasSubstr("6 or 9"));
  EXPECT_THAT(refusal("window = 1\n"), HasSubstr("lookahead = off"));
  EXPECT_THAT(refusal("schedule = rolling\nwindow = 4\n"), HasSubstr("6 or 9"));
  EXPECT_THAT(refusal("schedule = rolling\ncontext = 3\n"), HasSubstr("largest context is 2"));
  const auto refused = [&](const Sampler& with, ClipShape clip) {
    try {
      method()->check(clip, 4, with);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refused(UniPcSampler({}), {9, 16, 16}), HasSubstr("type = euler"));
  EXPECT_THAT(refused(sampler, {1, 16, 16}), HasSubstr("at least 5 frames"));
}

}  // namespace
}  // namespace svi
