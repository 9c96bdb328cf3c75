#include "rolling_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "method/whole_films.hpp"

namespace svi {
namespace {

using Levels = std::vector<std::int64_t>;

// tests/data/rolling/fifo.json: made by running jjihwan/FIFO-Diffusion_public b87ba5d. Its indices
// are our levels minus one; its windows run from the noisy end.
TEST(RollingQueue, HasTheWindowsAndIterationsOfFifo) {
  for (const auto& each : test::golden("rolling/fifo.json")["cases"]) {
    const std::int64_t f = each["frames"], T = f * each["partitions"].get<std::int64_t>();
    rolling::RollingOptions options;
    options.window = f;
    options.lookahead = each["lookahead"];
    const auto cut = rolling::windows_of(options, f, T);
    EXPECT_EQ(cut.queue, T);
    const auto levels = cut.levels(0);
    const auto count = static_cast<std::size_t>(cut.count());
    ASSERT_EQ(each["windows"].size(), count);
    for (std::size_t k = 0; k < count; ++k) {
      const auto window = each["windows"][count - 1 - k].get<Levels>();
      ASSERT_EQ(static_cast<std::int64_t>(window.size()), cut.frames());
      for (std::int64_t i = cut.context; i < cut.frames(); ++i) {
        const auto slot = static_cast<std::int64_t>(k) * cut.moved + i - cut.context;
        EXPECT_EQ(window[static_cast<std::size_t>(i)], levels[static_cast<std::size_t>(slot)] - 1);
      }
    }
    // Iterations: N + T - f, each a pass a window; behind our image they begin one later.
    EXPECT_EQ(each["iterations"].get<std::int64_t>(),
              each["new_frames"].get<std::int64_t>() + T - f);
    EXPECT_EQ(each["passes"].get<std::int64_t>(),
              each["iterations"].get<std::int64_t>() * cut.count());
    // Slot i holds frame max(0, i - (T - f)) of the first clip.
    const auto filled = each["filled_with"].get<Levels>();
    const auto ahead = static_cast<std::int64_t>(filled.size()) - T;
    for (std::int64_t i = 0; i < T; ++i)
      EXPECT_EQ(filled[static_cast<std::size_t>(ahead + i)],
                std::max<std::int64_t>(0, i - (T - f)));
  }
}

TEST(RollingQueue, AShiftLeavesTheSetOfLevelsAsItIs) {
  rolling::RollingOptions options;
  options.schedule = rolling::Schedule::rolling;
  for (const std::int64_t context : {0, 1, 2}) {
    options.context = context;
    const auto cut = rolling::windows_of(options, 6, 60);
    EXPECT_EQ(cut.lead * cut.queue, 60);
    const auto before = cut.levels(0);
    auto after = cut.levels(cut.lead);
    EXPECT_EQ(after.front(), 0);  // the frame that leaves
    after.erase(after.begin());
    after.push_back(60);  // the noise that joins
    EXPECT_EQ(after, before);
  }
}

TEST(RollingQueue, StartsFromNoiseInTheStepsOfAClip) {
  rolling::RollingOptions options;
  options.schedule = rolling::Schedule::rolling;
  const auto cut = rolling::windows_of(options, 6, 20);  // five frames, four steps each
  EXPECT_EQ(cut.starting(0), Levels(5, 20));
  EXPECT_EQ(cut.starting(20), (Levels{0, 4, 8, 12, 16}));
  for (std::int64_t j = 0; j < 20; ++j) {
    const auto before = cut.starting(j), after = cut.starting(j + 1);
    for (std::size_t w = 0; w < 5; ++w) EXPECT_LE(before[w] - after[w], 1);
  }
  // min(1, w / W + t): the initial schedule of Rolling Diffusion.
  EXPECT_EQ(cut.starting(10), (Levels{10, 14, 18, 20, 20}));
}

struct RollingFilms : test::MethodTest {
  RollingFilms() : MethodTest(PLUGIN_FILE, "noise_rolling", 8) {}

  at::Tensor film(const std::string& options, const VelocityModel& model) const {
    std::vector<at::Tensor> latents;
    for (const auto& clip : roll(options, model, 3)) latents.push_back(clip.latent);
    return at::cat(latents, 2);
  }
  std::int64_t evaluations(const std::string& options, std::int64_t clips) const {
    const test::Knowing model;
    return roll(options, model, clips).back().evaluations;
  }
};

TEST_F(RollingFilms, RollAWindowBehindACleanFrame) {
  const test::Knowing model;
  const auto made = film("schedule = rolling\nwindow = 5\nstart = noise\n", model);
  EXPECT_LT((made.narrow(2, 1, 6) - 0.25).abs().max().item<double>(), 2e-6);
  const auto table = at::tensor(std::vector<float>(sampler.sigmas())).flip(0);
  for (std::size_t i = 8; i < model.levels.size(); ++i) {  // behind the start
    const auto& levels = model.levels[i];
    ASSERT_EQ(levels.size(0), 5);
    EXPECT_EQ(levels[0].item<float>(), 0);
    const auto j = static_cast<std::int64_t>(i % 2);  // two steps a frame
    for (std::int64_t w = 0; w < 4; ++w)
      EXPECT_NEAR(levels[w + 1].item<double>(), table[2 * w + 1 - j].item<double>(), 1e-7);
  }
}

TEST_F(RollingFilms, CostStepsForEachFrameAndAClipBeforeTheFirst) {
  // Eight steps until the first of four frames is clean, two for each one behind it.
  EXPECT_EQ(evaluations("schedule = rolling\nwindow = 5\nstart = noise\n", 3), 8 + 2 * (3 * 2 - 1));
  // From a clip: the image leaves the queue first.
  EXPECT_EQ(evaluations("schedule = rolling\nwindow = 5\n", 3),
            8 + 2 * (3 * 2 + 1 + std::max(4 - 3, 0)));
  // Windows of a queue from noise begin one after the other: 2 rest for 4 steps.
  EXPECT_EQ(evaluations("window = 4\nlookahead = off\nstart = noise\n", 1), 8 + 4 + 2 * 1);
}

TEST_F(RollingFilms, AreTheSameWhetherWindowsRunTogether) {
  const test::Mixing model;
  for (const std::string options : {"window = 4\n", "window = 2\nlookahead = off\nstart = noise\n"})
    EXPECT_TRUE(at::allclose(film(options + "partitions = together\n", model), film(options, model),
                             1e-6, 1e-6));
  EXPECT_EQ(evaluations("window = 4\npartitions = together\n", 2), evaluations("window = 4\n", 2));
}

}  // namespace
}  // namespace svi
