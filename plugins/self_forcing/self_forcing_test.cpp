#include <gmock/gmock.h>

#include "method/whole_films.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSteps = 4;

struct SelfForcing : test::MethodTest {
  SelfForcing() : MethodTest(PLUGIN_FILE, "self_forcing", kSteps, 17) {}
};

TEST_F(SelfForcing, SeesItsFirstAndItsLastFrames) {
  const test::Knowing model;
  const auto film = roll("context = 3\nsink = 1\nrenoise = off\n", model, 3);
  const auto all = at::cat({film[0].latent, film[1].latent, film[2].latent}, 2);
  // Chunks of two blocks of one frame: the last chunk begins at frame 11.
  const auto& seen = model.seen[static_cast<std::size_t>(10 * kSteps)];
  ASSERT_EQ(seen.size(2), 3 + 1);  // the history and a block, nothing behind it
  EXPECT_TRUE(at::equal(seen.narrow(2, 0, 1), all.narrow(2, 0, 1)));
  EXPECT_TRUE(at::equal(seen.narrow(2, 1, 2), all.narrow(2, 9, 2)));
  EXPECT_TRUE(at::equal(model.known[static_cast<std::size_t>(10 * kSteps)], all.narrow(2, 0, 1)));
  // The second block of a chunk sees the first one clean.
  const auto& second = model.seen[static_cast<std::size_t>(11 * kSteps)];
  EXPECT_TRUE(at::equal(second.narrow(2, 3, 1), all.narrow(2, 11, 1)));
  EXPECT_EQ(model.levels[static_cast<std::size_t>(11 * kSteps)][3].item<float>(), 0);
}

TEST_F(SelfForcing, CostsAPassForEachBlockAndStepAndComesToTheCleanFrame) {
  for (const auto* options : {"block = 1\n", "block = 2\nrenoise = off\ncontext = 3\n"}) {
    const test::Knowing model;
    const auto film = roll(options, model, 2);
    const auto blocks = options[8] == '1' ? 8 : 4;
    EXPECT_EQ(film.back().evaluations, kSteps * blocks);
    EXPECT_LT((film[1].latent - 0.25).abs().max().item<double>(), 2e-6);
  }
}

TEST_F(SelfForcing, GoesOnFromItsPiecesWithTheSameBits) {
  const test::Mixing model;
  expect_goes_on("context = 3\nsink = 2\n", model, 4);
}

TEST_F(SelfForcing, RefusesASinkThatLeavesNoRoom) {
  EXPECT_THAT(refusal("context = 2\nsink = 2\n"), HasSubstr("no room for the last ones"));
  EXPECT_THAT(refusal("block = 3\n"), HasSubstr("block = 3"));
}

}  // namespace
}  // namespace svi
