#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/generate/prompt_blend.hpp"
#include "svi/generate/storyboard.hpp"
#include "svi/generate/time_line.hpp"
#include "svi/method/chain.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

OptionChain any_chain() { return OptionChain(ChainOptions()); }

/// A text as [1, 1, 2]: its first letter's code, and 1.
at::Tensor letters(const std::vector<std::string>& prompts) {
  std::vector<at::Tensor> rows;
  for (const auto& prompt : prompts)
    rows.push_back(at::tensor({static_cast<float>(prompt.at(0)), 1.0F}).view({1, 1, 2}));
  return at::cat(rows);
}

std::string read_error(const std::string& text) {
  try {
    parse_prompts(text, "film.yaml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(PromptBlend, IsReadAsItWasWritten) {
  const auto blend = blend_of(blended_prompt({"a cat", "a dog", 2, 5}));

  ASSERT_TRUE(blend.has_value());
  EXPECT_EQ(blend->from, "a cat");
  EXPECT_EQ(blend->to, "a dog");
  EXPECT_EQ(blend->step, 2);
  EXPECT_EQ(blend->steps, 5);
  EXPECT_FALSE(blend_of("a cat").has_value());
  EXPECT_FALSE(blend_of("").has_value());
}

TEST(PromptBlend, LiesBetweenTheTwoTexts) {
  const auto made = encode_blends({"a", blended_prompt({"a", "c", 1, 4}), "c"}, letters);

  EXPECT_TRUE(at::equal(made.select(2, 0).flatten(), at::tensor({97.0F, 97.5F, 99.0F})));
  EXPECT_TRUE(at::equal(made.select(2, 1).flatten(), at::ones({3})));
}

TEST(PromptBlend, PlainPromptsAreEncodedAsBefore) {
  int calls = 0;
  const auto count = [&](const std::vector<std::string>& prompts) {
    ++calls;
    return letters(prompts);
  };
  EXPECT_TRUE(at::equal(encode_blends({"a", "b"}, count), letters({"a", "b"})));
  EXPECT_EQ(calls, 1);
}

TEST(PromptBlend, OfAStoryboardLeadsFromOnePromptToTheNext) {
  const auto method = any_chain();
  const Storyboard board({{.prompt = "a"},
                          {.prompt = "b", .transition = Transition::blend, .blend = 2},
                          {.prompt = "c", .clips = 2, .transition = Transition::blend, .blend = 1}},
                         method, 5);

  EXPECT_EQ(board.clips(), 1 + 3 + 2);
  EXPECT_EQ(board.clip(0).prompt, "a");
  EXPECT_EQ(board.clip(1).prompt, blended_prompt({"a", "b", 1, 3}));
  EXPECT_EQ(board.clip(2).prompt, blended_prompt({"a", "b", 2, 3}));
  EXPECT_EQ(board.clip(3).prompt, "b");
  EXPECT_EQ(board.clip(4).prompt, blended_prompt({"b", "c", 1, 2}));
  EXPECT_EQ(board.clip(5).prompt, "c");
  EXPECT_EQ(board.clip(50).prompt, "c");
  EXPECT_EQ(board.prompts(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(PromptBlend, ThatNeverArrivesIsRefused) {
  const auto method = any_chain();
  const std::vector<PromptSegment> segments = {{.prompt = "a"},
                                               {.prompt = "b",
                                                .clips = 2,
                                                .transition = Transition::blend,
                                                .blend = 2,
                                                .origin = "film.yaml:3"}};
  try {
    Storyboard(segments, method, 5);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("film.yaml:3: a blend of 2 clips in a segment of 2"));
  }
}

TEST(PromptBlend, IsReadFromPromptFiles) {
  const auto segments = parse_prompts(
      "- a\n- {prompt: b, transition: blend, blend: 3}\n"
      "- {prompt: c, transition: blend}\n",
      "film.yaml");
  EXPECT_EQ(segments[1].transition, Transition::blend);
  EXPECT_EQ(segments[1].blend, 3);
  EXPECT_EQ(segments[2].blend, 1);
  EXPECT_THAT(read_error("- {prompt: b, transition: blend}\n"), HasSubstr("none before it"));
  EXPECT_THAT(read_error("- a\n- {prompt: b, blend: 2}\n"), HasSubstr("only `transition: blend`"));
  EXPECT_THAT(read_error("- a\n- {prompt: b, transition: blend, blend: 0}\n"),
              HasSubstr("at least 1"));
  EXPECT_THAT(read_error("- a\n- {prompt: b, transition: blend, image: i.png}\n"),
              HasSubstr("only a cut"));
}

TEST(TimeLine, JoinsClipsThatAreToldTheSame) {
  const auto method = any_chain();
  const Storyboard board(
      {{.prompt = "a <b> & \"c\"", .clips = 3},
       {.prompt = "d", .clips = 2, .transition = Transition::blend, .blend = 1},
       {.prompt = "d", .seed = 7, .transition = Transition::cut, .image = "next.png"}},
      method, 5);

  const auto entries = time_line(board, 6, 2, [](std::int64_t clip) { return 4 * clip; });

  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[0].clips, 3);
  EXPECT_EQ(entries[0].end, 6);
  EXPECT_EQ(entries[1].how, "blend 1/2");
  EXPECT_EQ(entries[2].begin, 8);
  EXPECT_EQ(entries[3].how, "cut");
  EXPECT_EQ(entries[3].end, 12);
  EXPECT_THAT(time_line_text(entries),
              HasSubstr("  0:10.0 - 0:12.0  clip 6  cut to next.png, seed 7: d\n"));
  const auto sheet = contact_sheet("a & b", entries, [](const TimeLineEntry& of) {
    return of.how == "cut" ? at::zeros({3, 4, 4}, at::kByte) : at::Tensor();
  });
  EXPECT_THAT(sheet, HasSubstr("a &amp; b"));
  EXPECT_THAT(sheet, HasSubstr("a &lt;b&gt; &amp; &quot;c&quot;"));
  EXPECT_THAT(sheet, HasSubstr("href=\"data:image/png;base64,iVBOR"));
  EXPECT_THAT(sheet, Not(HasSubstr("<b>")));
}

}  // namespace
}  // namespace svi
