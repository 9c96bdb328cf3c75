#include <gmock/gmock.h>

#include "method/whole_films.hpp"

namespace svi {
namespace {

constexpr std::int64_t kSteps = 4;

struct TestTimeCorrection : test::MethodTest {
  TestTimeCorrection() : MethodTest(PLUGIN_FILE, "test_time_correction", kSteps, 17) {}

  std::vector<at::Tensor> film(const std::string& options, const VelocityModel& model) const {
    std::vector<at::Tensor> latents;
    for (const auto& clip : roll(options, model, 3)) latents.push_back(clip.latent);
    return latents;
  }
};

TEST_F(TestTimeCorrection, CostsAPassMoreForEachLevel) {
  const auto evaluations = [&](const std::string& options) {
    const test::Knowing model;
    return roll(options, model, 3).back().evaluations;
  };
  EXPECT_EQ(evaluations(""), 3 * (kSteps + 2));
  EXPECT_EQ(evaluations("levels = 0.5\n"), 3 * (kSteps + 1));
  EXPECT_EQ(evaluations("levels =\n"), 3 * kSteps);
  // Neither the noise nor the data is on the way.
  EXPECT_EQ(evaluations("levels = 1, 0\n"), 3 * kSteps);
}

TEST_F(TestTimeCorrection, WithoutStrengthIsTheChainThatRenoises) {
  // One seed, and the noise that joins is the same whether or not a correction follows.
  const test::Mixing model;
  const auto plain = film("levels = 0.5\nstrength = 0\n", model);
  const auto corrected = film("levels = 0.5\n", model);
  EXPECT_TRUE(at::equal(plain[0].narrow(2, 0, 1), corrected[0].narrow(2, 0, 1)));
  // In the first clip the reference is the history itself, yet a corrected state takes other noise.
  EXPECT_GT((plain[1] - corrected[1]).abs().max().item<double>(), 1e-3);
}

TEST_F(TestTimeCorrection, ShowsTheFilmsFirstFrameToTheCorrectionAlone) {
  for (const auto* options : {"", "history = frames\n"}) {
    const test::Knowing model;
    const auto made = film(options, model);
    const auto image = vae.encode(scenes[0].image.unsqueeze(0).unsqueeze(2));
    const auto last = made[0].narrow(2, made[0].size(2) - 1, 1);
    // Steps to u = 0.75, 0.5 and its correction, 0.25 and its correction, 0.
    const auto second = static_cast<std::size_t>(kSteps + 2);
    for (const std::size_t i : {0, 1, 3, 5})
      EXPECT_TRUE(at::equal(model.known[second + i], last)) << options << i;
    for (const std::size_t i : {2, 4})
      EXPECT_TRUE(at::equal(model.known[second + i], image)) << options << i;
    // A correction looks at the very level that the next step starts from.
    EXPECT_TRUE(at::equal(model.levels[second + 2], model.levels[second + 3]));
  }
}

TEST_F(TestTimeCorrection, LeavesATrueModelWhereItIs) {
  const test::Knowing model;
  for (const auto* options : {"", "renoise = off\n", "history = frames\nstrength = 2\n"}) {
    for (const auto& latent : film(options, model)) {
      const auto made = latent.narrow(2, latent.size(2) - 4, 4);
      EXPECT_LT((made - 0.25).abs().max().item<double>(), 2e-6) << options;
    }
  }
}

TEST_F(TestTimeCorrection, TellsAChainOneLevelForAllFrames) {
  const test::Knowing model;
  film("", model);
  for (const auto& levels : model.levels)
    EXPECT_EQ((levels.max() - levels.min()).item<float>(), 0);  // as the base was trained
}

TEST_F(TestTimeCorrection, GoesOnFromItsPiecesWithTheSameBits) {
  const test::Mixing model;
  expect_goes_on("", model, 4);
  expect_goes_on("history = frames\nrenoise = off\n", model, 3);
}

}  // namespace
}  // namespace svi
