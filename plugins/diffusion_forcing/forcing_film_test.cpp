#include <gmock/gmock.h>

#include "method/whole_films.hpp"
#include "svi/sampler/unipc.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSteps = 8, kAdded = 4;  // 17 frames are 5 latents

struct DiffusionForcing : test::MethodTest {
  DiffusionForcing() : MethodTest(PLUGIN_FILE, "diffusion_forcing", kSteps, 17) {}

  std::int64_t evaluations(const std::string& options, std::int64_t clips) const {
    const test::Knowing model;
    return roll(options, model, clips).back().evaluations;
  }
};

TEST_F(DiffusionForcing, ComesToTheCleanFrameByEverySchedule) {
  for (const auto* options : {"schedule = full_sequence\n", "schedule = autoregressive\n",
                              "schedule = pyramid\nuncertainty = 2\n",
                              "schedule = trapezoid\nuncertainty = 1.5\ncontext = 2\n",
                              "schedule = skyreels\nar_step = 3\nblock = 2\n",
                              "schedule = skyreels\nar_step = 4\nchunk = 4\nwindow = 3\n"}) {
    const test::Knowing model;
    const auto film = roll(options, model, 3);
    ASSERT_EQ(film.size(), 3u);
    EXPECT_EQ(film[0].frames.size(2), 17);
    EXPECT_EQ(film[1].first_frame, 17);
    EXPECT_EQ(film[2].frames.size(2), 16);
    const auto image = vae.encode(scenes[0].image.unsqueeze(0).unsqueeze(2));
    EXPECT_TRUE(at::equal(film[0].latent.narrow(2, 0, 1), image));
    const auto made = at::cat({film[0].latent.narrow(2, 1, 4), film[1].latent, film[2].latent}, 2);
    EXPECT_LT((made - 0.25).abs().max().item<double>(), 2e-6) << options;
  }
}

TEST_F(DiffusionForcing, CostsAPassARow) {
  EXPECT_EQ(evaluations("schedule = full_sequence\n", 2), 2 * kSteps);
  EXPECT_EQ(evaluations("schedule = autoregressive\n", 2), 2 * kSteps * kAdded);
  EXPECT_EQ(evaluations("schedule = pyramid\nuncertainty = 2\n", 3), 3 * (kSteps + 3 * 2));
  EXPECT_EQ(evaluations("schedule = skyreels\nar_step = 3\nblock = 2\n", 1), kSteps + 3);
  // Two chunks of two frames a clip, as a history of two leaves room for three.
  EXPECT_EQ(evaluations("schedule = pyramid\nuncertainty = 2\ncontext = 2\n", 3),
            3 * 2 * (kSteps + 2));
}

TEST_F(DiffusionForcing, TellsTheStabilisationLevelAndNoisesOnlyWhereAsked) {
  for (const bool noise : {false, true}) {
    const test::Knowing model;
    roll(cat("context = 2\ncontext_level = 0.1\ncontext_noise = ", noise ? "on" : "off", "\n"),
         model, 2);
    const auto image = vae.encode(scenes[0].image.unsqueeze(0).unsqueeze(2));
    for (std::size_t i = 0; i < model.levels.size(); ++i) {
      const auto history = model.levels[i].size(0) - 2;  // two new frames a chunk
      const auto told = model.levels[i].narrow(0, 0, history);
      EXPECT_TRUE(at::allclose(told, at::full_like(told, 0.1), 0, 1e-7));
    }
    const auto first = model.seen.front().narrow(2, 0, 1);
    EXPECT_EQ(at::equal(first, image), !noise);
    EXPECT_TRUE(at::equal(model.known.front(), image));  // the condition image is clean in any case
    // Afresh in every step.
    EXPECT_EQ(at::equal(first, model.seen[1].narrow(2, 0, 1)), !noise);
  }
}

TEST_F(DiffusionForcing, SeesItsLastCleanFramesAndNoMore) {
  const test::Knowing model;
  const auto film = roll("schedule = full_sequence\ncontext = 3\ncontext_level = 0\n", model, 3);
  const auto all = at::cat({film[0].latent, film[1].latent, film[2].latent}, 2);
  // Chunks of two: the history is what stands before them in the film.
  for (std::int64_t chunk = 0; chunk < 6; ++chunk) {
    const auto begin = 1 + 2 * chunk, history = std::min<std::int64_t>(begin, 3);
    const auto& seen = model.seen[static_cast<std::size_t>(chunk * kSteps)];
    EXPECT_EQ(seen.size(2), history + 2);
    EXPECT_TRUE(at::equal(seen.narrow(2, 0, history), all.narrow(2, begin - history, history)));
    EXPECT_TRUE(at::equal(model.known[static_cast<std::size_t>(chunk * kSteps)],
                          all.narrow(2, begin - history, 1)));
  }
}

TEST_F(DiffusionForcing, GoesOnFromItsPiecesWithTheSameBits) {
  const test::Mixing model;
  for (const auto* options :
       {"", "context = 2\ncontext_noise = on\n", "schedule = skyreels\nblock = 2\ncontext = 3\n"})
    expect_goes_on(options, model, 4);
}

TEST_F(DiffusionForcing, RefusesWhatItCannotDo) {
  EXPECT_EQ(refusal(""), "accepted");
  EXPECT_THAT(refusal("context = 5\n"), HasSubstr("the largest context is 4"));
  EXPECT_THAT(refusal("chunk = 4\nwindow = 3\n"), HasSubstr("outside of the window"));
  EXPECT_THAT(refusal("schedule = skyreels\nblock = 3\n"), HasSubstr("block = 3"));
  EXPECT_THROW(method()->check(shape, 4, UniPcSampler({})), ConfigError);
  EXPECT_THROW(method()->check({1, 16, 16}, 4, sampler), ConfigError);
}

}  // namespace
}  // namespace svi
