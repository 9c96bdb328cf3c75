#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include "method/causal_films.hpp"
#include "method/whole_films.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSteps = 4;

struct HierarchicalDenoising : test::MethodTest {
  HierarchicalDenoising() : MethodTest(PLUGIN_FILE, "hierarchical_denoising", kSteps, 17) {}
};

TEST_F(HierarchicalDenoising, CostsAPassForEachBlockAndStep) {
  for (const std::int64_t block : {1, 2, 4}) {
    const test::Knowing model;
    EXPECT_EQ(roll(cat("block = ", block, "\n"), model, 3).back().evaluations,
              3 * kSteps * 4 / block);
  }
}

TEST_F(HierarchicalDenoising, ShowsNothingCleanerThanTheLevelThatABlockReaches) {
  const test::Knowing model;
  roll("block = 2\n", model, 2);
  const auto table = at::tensor(std::vector<float>(sampler.sigmas()));
  for (std::size_t i = 0; i < model.levels.size(); ++i) {
    const auto step = static_cast<std::int64_t>(i / 2 % kSteps);
    const auto& levels = model.levels[i];
    const auto blocks = static_cast<std::int64_t>(i % 2 + 1);
    ASSERT_EQ(levels.size(0), 1 + 2 * blocks);  // the history, the blocks before, this one
    const auto reached = step + 1 < kSteps ? table[step + 1].item<double>() : 0;
    const auto before = levels.narrow(0, 0, levels.size(0) - 2);
    EXPECT_TRUE(at::allclose(before, at::full_like(before, reached), 0, 1e-7));
    EXPECT_NEAR(levels[-1].item<double>(), table[step].item<double>(), 1e-7);
  }
  // The history is noised to what is told, and afresh in every step.
  const auto image = vae.encode(scenes[0].image.unsqueeze(0).unsqueeze(2));
  EXPECT_FALSE(at::equal(model.seen[0].narrow(2, 0, 1), image));
  EXPECT_FALSE(at::equal(model.seen[0].narrow(2, 0, 1), model.seen[2].narrow(2, 0, 1)));
  EXPECT_TRUE(at::equal(model.seen[2 * kSteps - 1].narrow(2, 0, 1), image));  // at level 0
}

TEST_F(HierarchicalDenoising, ComesToTheCleanFrame) {
  for (const auto* options : {"", "renoise = off\nblock = 2\n", "context = 3\nblock = 2\n"}) {
    const test::Knowing model;
    for (const auto& clip : roll(options, model, 3)) {
      const auto made = clip.latent.narrow(2, clip.latent.size(2) - 4, 4);
      EXPECT_LT((made - 0.25).abs().max().item<double>(), 2e-6) << options;
    }
  }
}

TEST_F(HierarchicalDenoising, GoesOnFromItsPiecesWithTheSameBits) {
  const test::Mixing model;
  expect_goes_on("block = 2\n", model, 4);
}

TEST_F(HierarchicalDenoising, ComputesAFrameOfALevelOnce) {
  const at::NoGradGuard no_grad;
  const auto model = test::tiny_causal_dit();
  const auto frames_of = [&](const std::string& options) {
    const auto before = model->tokens();
    roll(options, *model, 3);
    return (model->tokens() - before) / test::kCausalTokens;
  };
  // A step: the history, four blocks, and the first three of them again as they are then.
  EXPECT_EQ(frames_of("cache = on\n"), 3 * kSteps * (1 + 4 + 3));
  EXPECT_EQ(frames_of("cache = off\n"), 3 * kSteps * (2 + 3 + 4 + 5));
  expect_goes_on("block = 2\ncache = on\n", *model, 3);
}

TEST_F(HierarchicalDenoising, ShowsABlockTheFramesOfItsLevelFromTheCache) {
  const test::Ledger model;
  const auto film = roll("renoise = off\ncache = on\n", model, 2);
  const auto all = at::cat({film[0].latent, film[1].latent}, 2);
  EXPECT_TRUE(at::equal(model.past.back(), all.narrow(2, 4, 4)));  // the last step: all are clean
  // The first step: a history at the level that is reached, the same for all blocks.
  EXPECT_FALSE(at::equal(model.past[0], all.narrow(2, 0, 1)));
  EXPECT_TRUE(at::equal(model.past[0], model.past[1].narrow(2, 0, 1)));
}

TEST_F(HierarchicalDenoising, RefusesBlocksThatDoNotFit) {
  EXPECT_THAT(refusal("block = 3\n"), HasSubstr("choose a block that divides 4"));
}

}  // namespace
}  // namespace svi
