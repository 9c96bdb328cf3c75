#include "svi/generate/prompt_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

std::string refusal_of(const std::string& text, const std::string& file) {
  try {
    parse_prompts(text, file);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(PromptFile, HoldsOnePromptPerLine) {
  const auto segments = parse_prompts("# a film\n\n  a cat \r\na dog, \"quoted\"\n", "p.txt");
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[0].prompt, "a cat");
  EXPECT_EQ(segments[1].prompt, "a dog, \"quoted\"");
}

TEST(PromptFile, ReadsTheReferencesListWithoutRunningIt) {
  const auto segments = parse_prompts(
      "# made by hand\nprompts = [\n  \"a \\\"cat\\\"\",  # one\n  'it\\'s ' 'a dog',\n  "
      "\"\"\"two\nlines\"\"\"\n]\n",
      "p.txt");
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[0].prompt, "a \"cat\"");
  EXPECT_EQ(segments[1].prompt, "it's a dog");
  EXPECT_EQ(segments[2].prompt, "two\nlines");
  EXPECT_THAT(refusal_of("prompts = [\n __import__('os').system('x')]", "p.txt"),
              HasSubstr("p.txt:2: something that is no string"));
  EXPECT_THAT(refusal_of("prompts = [\"a\" + \"b\"]", "p.txt"), HasSubstr("',' or ']' is missing"));
  EXPECT_THAT(refusal_of("prompts = [\"a", "p.txt"), HasSubstr("does not end"));
}

TEST(PromptFile, YamlAndJsonSayHowLongAndHow) {
  const std::string yaml =
      "prompts:\n  - a cat\n  - prompt: a dog\n    duration: 12.5\n    seed: 7\n"
      "  - {prompt: the sea, clips: 3, transition: cut, image: sea.png}\n";
  const std::string json =
      R"(["a cat", {"prompt": "a dog", "duration": 12.5, "seed": 7},
          {"prompt": "the sea", "clips": 3, "transition": "cut", "image": "sea.png"}])";
  for (const auto& segments :
       {parse_prompts(yaml, "in/p.yaml"), parse_prompts(json, "in/p.json")}) {
    ASSERT_EQ(segments.size(), 3u);
    EXPECT_EQ(segments[0].prompt, "a cat");
    EXPECT_FALSE(segments[0].seed.has_value());
    EXPECT_EQ(segments[1].seconds, 12.5);
    EXPECT_EQ(segments[1].seed, 7);
    EXPECT_EQ(segments[2].clips, 3);
    EXPECT_EQ(segments[2].transition, Transition::cut);
    EXPECT_EQ(segments[2].image, "in/sea.png");
  }
}

TEST(PromptFile, SaysWhereAndWhatIsWrong) {
  EXPECT_THAT(refusal_of("- prompt: a\n  durration: 3\n", "p.yaml"),
              HasSubstr("p.yaml:2: unknown key `durration`; did you mean `duration`?"));
  EXPECT_THAT(refusal_of("- prompt: a\n- duration: 3\n", "p.yaml"),
              HasSubstr("p.yaml:2: `prompt` is missing"));
  EXPECT_THAT(refusal_of("- prompt: a\n  clips: many\n", "p.yaml"),
              HasSubstr("p.yaml:2: `clips` is `many`, not a whole number"));
  EXPECT_THAT(refusal_of("- prompt: a\n  clips: 2\n  duration: 3\n", "p.yaml"),
              HasSubstr("not both"));
  EXPECT_THAT(refusal_of("- prompt: a\n  transition: fade\n", "p.yaml"),
              HasSubstr("`continue` or `cut`"));
  EXPECT_THAT(refusal_of("- prompt: a\n  transition: cut\n", "p.yaml"),
              HasSubstr("needs an `image`"));
  EXPECT_THAT(refusal_of("[\"a\", ", "p.json"), HasSubstr("p.json:"));
  EXPECT_THAT(refusal_of("a: 1", "p.yaml"), HasSubstr("no list of prompts"));
  EXPECT_THAT(refusal_of("# nothing\n", "p.txt"), HasSubstr("holds no prompt"));
}

TEST(PromptFile, HostileYamlEndsInAnError) {
  EXPECT_THAT(refusal_of(std::string(100000, '['), "p.yaml"), HasSubstr("p.yaml:"));
  EXPECT_THAT(refusal_of("- &a [x, x]\n- &b [*a, *a]\n- [*b, *b]\n", "p.yaml"),
              HasSubstr("a text or a mapping"));
  EXPECT_THAT(refusal_of("&a [*a]", "p.yaml"), HasSubstr("p.yaml"));
}

}  // namespace
}  // namespace svi
