#include "svi/generate/storyboard.hpp"

#include <gtest/gtest.h>

#include "svi/generate/frame_size.hpp"
#include "svi/method/chain.hpp"

namespace svi {
namespace {

OptionChain chain(PromptOrder order) {
  ChainOptions options;
  options.prompts = order;
  return OptionChain(options);
}

TEST(Storyboard, WithoutLengthsTheMethodChooses) {
  const auto first = chain(PromptOrder::first), stream = chain(PromptOrder::stream);
  const std::vector<PromptSegment> segments = {{.prompt = "a"}, {.prompt = "b"}};
  EXPECT_EQ(Storyboard(segments, first, 5).clip(3).prompt, "a");
  EXPECT_EQ(Storyboard(segments, stream, 5).clip(1).prompt, "b");
  EXPECT_EQ(Storyboard(segments, stream, 5).clip(9).prompt, "b");
  EXPECT_FALSE(Storyboard(segments, stream, 5).clips().has_value());
}

TEST(Storyboard, SegmentsLastAsLongAsTheySayAndTheLastOneStays) {
  const auto first = chain(PromptOrder::first);
  const Storyboard board({{.prompt = "a", .seconds = 12},
                          {.prompt = "b", .seconds = 0.1, .seed = 7},
                          {.prompt = "c", .clips = 3, .transition = Transition::cut, .image = "i"}},
                         first, 5);
  EXPECT_EQ(board.clips(), 2 + 1 + 3);
  EXPECT_EQ(board.clip(1).prompt, "a");
  EXPECT_EQ(board.clip(1).clip_of_segment, 1);
  EXPECT_EQ(board.clip(2).seed, 7);
  EXPECT_TRUE(board.clip(3).cut);
  EXPECT_EQ(board.clip(3).image, "i");
  EXPECT_FALSE(board.clip(4).cut);
  EXPECT_EQ(board.clip(100).prompt, "c");
  EXPECT_EQ(board.prompts().size(), 3u);
}

TEST(FilmSize, IsThatOfTheReference) {
  const auto size = [](std::int64_t width, std::int64_t height) {
    const auto made = film_size({width, height}, 832, 16);
    return std::pair(made.width, made.height);
  };
  EXPECT_EQ(size(1024, 571), std::pair(std::int64_t{832}, std::int64_t{448}));
  EXPECT_EQ(size(1129, 779), std::pair(std::int64_t{832}, std::int64_t{560}));
  EXPECT_EQ(size(480, 832), std::pair(std::int64_t{480}, std::int64_t{832}));
}

}  // namespace
}  // namespace svi
