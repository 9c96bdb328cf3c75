#include <gmock/gmock.h>

#include "method/whole_films.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSteps = 4;

struct HistoryGuidance : test::MethodTest {
  HistoryGuidance() : MethodTest(PLUGIN_FILE, "history_guidance", kSteps, 17) {}

  at::Tensor film(const std::string& options) const {
    const test::Mixing model;
    std::vector<at::Tensor> latents;
    for (const auto& clip : roll(options, model, 2)) latents.push_back(clip.latent);
    return at::cat(latents, 2);
  }
  std::int64_t evaluations(const std::string& options) const {
    const test::Knowing model;
    return roll(options, model, 2).back().evaluations;
  }
};

TEST_F(HistoryGuidance, AtScaleOneIsConditional) {
  const auto plain = film("scheme = conditional\n");
  EXPECT_TRUE(at::equal(film("scheme = vanilla\nscale = 1\n"), plain));
  EXPECT_TRUE(at::equal(film("scheme = fractional\nscale = 1\n"), plain));
  EXPECT_TRUE(at::equal(film("scheme = temporal\nsubsequences = all\nweights = 1\n"), plain));
  EXPECT_GT((film("scheme = vanilla\nscale = 2\n") - plain).abs().max().item<double>(), 1e-3);
}

TEST_F(HistoryGuidance, WithAllOfTheHistoryTemporalIsVanilla) {
  const auto vanilla = film("scheme = vanilla\nscale = 2\n");
  // Fractions of nothing are the whole, too.
  for (const auto* options : {"scheme = temporal\nsubsequences = all\nweights = 2\n",
                              "scheme = temporal\nsubsequences = all, all\nweights = 1.5, 0.5\n",
                              "scheme = fractional\nfraction = 0\nscale = 2\n"})
    EXPECT_TRUE(at::equal(film(options), vanilla)) << options;
}

TEST_F(HistoryGuidance, CountsItsPassesOnce) {
  const auto chunks = 2 * 2;  // of two frames, two a clip
  EXPECT_EQ(evaluations("scheme = conditional\n"), chunks * kSteps);
  EXPECT_EQ(evaluations("scheme = vanilla\nscale = 3\n"), chunks * kSteps * 2);
  EXPECT_EQ(evaluations("scheme = fractional\nscale = 3\n"), chunks * kSteps * 3);
  // The first chunk has a history of one frame, of which all and the last are the same.
  EXPECT_EQ(evaluations("scheme = temporal\nsubsequences = all, -1\nweights = 1, 0.5\n"),
            kSteps * (2 + 3 * 3));
  EXPECT_EQ(evaluations("scheme = temporal\nsubsequences = all\nweights = 2\nparts = 0, 1\n"),
            chunks * kSteps * 2 * 2);
}

TEST_F(HistoryGuidance, StabilisesOnlyWhatTheModelMade) {
  const test::Knowing model;
  roll("scheme = conditional\nstabilisation = 0.1\n", model, 1);
  const auto image = vae.encode(scenes[0].image.unsqueeze(0).unsqueeze(2));
  EXPECT_TRUE(at::equal(model.seen.front().narrow(2, 0, 1), image));
  EXPECT_EQ(model.levels.front()[0].item<float>(), 0);
  const auto second = model.levels[kSteps];  // of the second chunk: two made frames
  EXPECT_NEAR(second[0].item<double>(), 0.1, 1e-6);
  EXPECT_NEAR(second[1].item<double>(), 0.1, 1e-6);
}

TEST_F(HistoryGuidance, GoesOnFromItsPiecesWithTheSameBits) {
  const test::Mixing model;
  expect_goes_on("scheme = fractional\nscale = 2\nstabilisation = 0.05\n", model, 4);
}

TEST_F(HistoryGuidance, RefusesWhatItCannotDo) {
  EXPECT_THAT(refusal("scheme = temporal\nsubsequences = all\nweights = 1, 2\n"),
              HasSubstr("give each subsequence a weight"));
  EXPECT_THAT(refusal("scheme = temporal\nsubsequences = last\nweights = 1\n"),
              HasSubstr("'last' is no list of frames"));
  EXPECT_THAT(refusal("context = 7\n"), HasSubstr("the largest context is 4"));
}

}  // namespace
}  // namespace svi
