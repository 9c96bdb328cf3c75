#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include "method/causal_films.hpp"
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

TEST_F(SelfForcing, ShowsABlockTheKeysOfItsFirstAndItsLastFrames) {
  const test::Ledger model;
  const auto film = roll("context = 3\nsink = 1\nrenoise = off\ncache = on\n", model, 3);
  const auto all = at::cat({film[0].latent, film[1].latent, film[2].latent}, 2);
  EXPECT_TRUE(at::equal(model.past.back(), all.index_select(2, at::tensor({0, 9, 10, 11}))));
  EXPECT_LT((film[1].latent - 0.25).abs().max().item<double>(), 2e-6);
}

TEST_F(SelfForcing, ComputesCleanFramesOnceForAClip) {
  const at::NoGradGuard no_grad;
  const auto model = test::tiny_causal_dit();
  const auto costs = [&](const std::string& options) {
    std::vector<std::int64_t> frames{0}, passes;
    auto seen = model->tokens();
    const auto made = method(options);
    roll_out(studio(*made, *model, 4), scenes, [&](const RolledClip& clip) {
      frames.push_back((model->tokens() - seen) / test::kCausalTokens);
      seen = model->tokens();
      passes.push_back(clip.evaluations);
    });
    return std::pair{frames, passes};
  };
  // A chunk has two blocks of one frame behind a history of two, the image's alone at first.
  const auto [cached, passes] = costs("cache = on\n");
  EXPECT_EQ(cached[1], 4 * kSteps + 4);
  for (const std::size_t clip : {2, 3, 4}) EXPECT_EQ(cached[clip], 4 * kSteps + 5) << clip;
  EXPECT_EQ(passes.back(), 4 * (kSteps * 4 + 4));  // keys of the history and of three blocks
  const auto [again, all] = costs("cache = off\n");
  for (const std::size_t clip : {2, 3, 4}) EXPECT_EQ(again[clip], 14 * kSteps) << clip;
  EXPECT_EQ(all.back(), 4 * kSteps * 4);
}

TEST_F(SelfForcing, GoesOnFromItsPiecesWithACache) {
  const at::NoGradGuard no_grad;
  const auto model = test::tiny_causal_dit();
  expect_goes_on("cache = on\ncontext = 3\nsink = 2\n", *model, 4);
  expect_goes_on("cache = on\nblock = 2\nsink = 0\ncontext = 1\n", *model, 3);
}

TEST_F(SelfForcing, NeedsAModelThatKeepsKeys) {
  const test::Knowing model;
  EXPECT_THROW(roll("cache = on\n", model, 1), ConfigError);
}

TEST_F(SelfForcing, RefusesASinkThatLeavesNoRoom) {
  EXPECT_THAT(refusal("context = 2\nsink = 2\n"), HasSubstr("no room for the last ones"));
  EXPECT_THAT(refusal("block = 3\n"), HasSubstr("block = 3"));
}

}  // namespace
}  // namespace svi
