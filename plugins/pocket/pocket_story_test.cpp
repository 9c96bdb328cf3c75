#include "pocket/pocket_story.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "pocket/pocket_world.hpp"

namespace svi {
namespace {

const ClipShape kStoryShape{5, 32, 32};

PocketWorld story_world(std::int64_t clips) {
  PocketWorld::Config config;
  config.story_clips = clips;
  return PocketWorld(config);
}

TEST(PocketStory, BeginsAsTheSceneWithoutOne) {
  const PocketWorld plain({});
  const auto told = story_world(10);

  EXPECT_TRUE(at::equal(plain.scene(3, kStoryShape).image, told.scene(3, kStoryShape).image));
  EXPECT_EQ(plain.scene(3, kStoryShape).prompts.front(),
            told.scene(3, kStoryShape).prompts.front());
  EXPECT_TRUE(at::equal(*plain.truth(3, 0, 5, kStoryShape), *told.truth(3, 0, 5, kStoryShape)));
}

TEST(PocketStory, ChangesOneThingFromClipToClip) {
  const auto world = story_world(40);
  std::set<std::string> turned, recoloured;
  for (std::int64_t index = 0; index < 5; ++index) {
    const auto prompts = world.scene(index, kStoryShape).prompts;
    ASSERT_EQ(prompts.size(), 40u);
    for (std::size_t i = 1; i < prompts.size(); ++i) {
      const auto a = *parse_pocket_prompt(prompts[i - 1]), b = *parse_pocket_prompt(prompts[i]);
      const int colours = (a.disc != b.disc) + (a.bands[0] != b.bands[0]) +
                          (a.bands[1] != b.bands[1]) + (a.bands[2] != b.bands[2]);
      EXPECT_EQ(a.layout, b.layout);
      EXPECT_EQ(colours + (a.rightward != b.rightward), 1);
      EXPECT_EQ((std::set<int>{b.disc, b.bands[0], b.bands[1], b.bands[2]}.size()), 4u);
      (colours > 0 ? recoloured : turned).insert(prompts[i]);
    }
  }
  EXPECT_GT(turned.size(), 50u);
  EXPECT_GT(recoloured.size(), 50u);
}

TEST(PocketStory, TruthShowsWhatEachPromptSays) {
  const auto world = story_world(12);
  const auto prompts = world.scene(1, kStoryShape).prompts;
  for (std::int64_t clip = 0; clip < 12; ++clip) {
    const auto prompt = *parse_pocket_prompt(prompts[static_cast<std::size_t>(clip)]);
    const auto frame = (*world.truth(1, clip * 4 + 1, 1, kStoryShape)).select(1, 0);  // [3, H, W]
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      // The upper left corner shows the top band, the lower left one the bottom band.
      const auto c = static_cast<std::size_t>(channel);
      const auto shown = [&](std::int64_t row) {
        return frame[channel][row][0].item<double>() / 2 + 0.5;
      };
      EXPECT_NEAR(shown(0), pocket_colour(prompt.bands[0])[c], 0.08);
      EXPECT_NEAR(shown(31), pocket_colour(prompt.bands[2])[c], 0.08);
    }
  }
}

TEST(PocketStory, TheDiscMovesOnFromWhereItIs) {
  PocketScene start = PocketScene::plain({{0, 2, 4}, 6, 0, true});
  start.disc_x = 0.9;
  start.disc_y = 0.5;
  const PocketStory story(start, 30, 5, 0, {.seed = 4});
  const auto prompts = story.prompts();
  // A turn is where a frame equals the one two before it, but for its colours: the disc goes back.
  double x = start.disc_x;
  for (std::int64_t clip = 0; clip < 30; ++clip) {
    const auto prompt = *parse_pocket_prompt(prompts[static_cast<std::size_t>(clip)]);
    auto wanted = PocketScene::plain(prompt);
    wanted.disc_y = start.disc_y;
    wanted.disc_x = x;
    const auto seen = story.render(clip * 4 + 1, 4, 32, 32);
    EXPECT_TRUE(at::allclose(seen, wanted.render(1, 4, 32, 32), 0, 2e-4)) << clip;
    x = wanted.disc_x_at(4);
  }
}

TEST(PocketStory, IsRenderedAlikeInOneGoAndInPieces) {
  const auto world = story_world(7);

  const auto whole = *world.truth(2, 0, 40, kStoryShape);

  for (std::int64_t first = 0; first < 40; first += 7) {
    const auto count = std::min<std::int64_t>(7, 40 - first);
    EXPECT_TRUE(
        at::equal(*world.truth(2, first, count, kStoryShape), whole.narrow(1, first, count)));
  }
}

}  // namespace
}  // namespace svi
