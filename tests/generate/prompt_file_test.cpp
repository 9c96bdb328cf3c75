#include "svi/generate/prompt_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> prompts_of(const std::vector<PromptSegment>& segments) {
  std::vector<std::string> prompts;
  for (const auto& segment : segments) prompts.push_back(segment.prompt);
  return prompts;
}

std::string refusal_of(const std::string& text, const std::string& file) {
  try {
    parse_prompts(text, file);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(PromptFile, HoldsOnePromptPerLine) {
  const auto segments = parse_prompts(
      "\xef\xbb\xbf# a film\n\n  a cat \r\n\ta dog, \"quoted\"  # seen from afar\rthe sea",
      "p.txt");
  EXPECT_THAT(prompts_of(segments),
              ElementsAre("a cat", "a dog, \"quoted\"  # seen from afar", "the sea"));
  EXPECT_EQ(segments[0].origin, "p.txt:3");
  EXPECT_EQ(segments[2].origin, "p.txt:5");
  EXPECT_EQ(segments[0].seconds, 0);
  EXPECT_EQ(segments[0].clips, 0);
  EXPECT_FALSE(segments[0].seed.has_value());
  EXPECT_EQ(segments[0].transition, Transition::proceed);
}

TEST(PromptFile, ReadsTheReferencesListAsPythonDoes) {
  const auto segments = parse_prompts(
      "# made by hand\nprompts = [\n"
      "  \"a \\\"cat\\\"\",  # one\n"
      "  'it\\'s ' u'a '\n  r'\\dog',\n"
      "  \"\"\"two\r\nlines, \"quoted\" \\\nnow\"\"\",\n"
      "  '\\x41\\u00e9\\U0001F408\\101\\t.\\d',]\n# the end\n",
      "p.txt");
  EXPECT_THAT(prompts_of(segments),
              ElementsAre("a \"cat\"", "it's a \\dog", "two\nlines, \"quoted\" now",
                          "A\xc3\xa9\xf0\x9f\x90\x88"
                          "A\t.\\d"));
  EXPECT_EQ(segments[1].origin, "p.txt:4");
  EXPECT_EQ(segments[2].origin, "p.txt:6");
}

TEST(PromptFile, RunsNothingInTheReferencesList) {
  const auto refused = [](const std::string& list, const std::string& message) {
    EXPECT_THAT(refusal_of("# x\nprompts = " + list, "p.txt"), HasSubstr(message)) << list;
  };
  refused("[\n __import__('os').system('x')]", "p.txt:3: expected a string, got `__import__('os')");
  refused("[\"a\" + \"b\"]", "p.txt:2: expected a string, got `+ \"b\"]`");
  refused("[f'{x}']", "expected a string, got `f'{x}']`");
  refused("['a' for _ in range(9)]", "expected a string, got `for _");
  refused("['a'] * 1000000000", "expected nothing but comments after the list, got `* 1000");
  refused("['a']\nimport os", "p.txt:3: expected nothing but comments after the list");
  refused("load()", "expected '[', got `load()`");
  refused("['a", "p.txt:2: a string has no closing '");
  refused("['a\n']", "p.txt:2: a string has no closing '");
  refused("[\"\"\"a\n\n", "p.txt:2: a string has no closing \"\"\"");
  refused("['a', ", "expected a string, got the end");
  refused("['a\\", "a string has no closing '");
  refused("['\\u12']", "an escape in a string lacks digits");
  refused("['\\ud83d\\udc08']", "an escape in a string is no Unicode character");
  refused("['\\U7fffffff']", "an escape in a string is no Unicode character");
  refused("['\\N{CAT}']", "characters by name");
  EXPECT_THAT(refusal_of("import os\n", "p.py"), HasSubstr("p.py: does not begin with `prompts ="));
}

TEST(PromptFile, YamlAndJsonSayHowLongAndHow) {
  const std::string yaml =
      "%YAML 1.2\n---\nprompts:\n  - a cat\n  - prompt: >\n      a dog\n      runs\n"
      "    duration: 12.5\n    seed: 9223372036854775807\n"
      "  - {prompt: the sea, clips: 3, transition: cut, image: sea.png}\n"
      "  - {transition: continue, prompt: 'the sky: blue', seed: 0}\n";
  const std::string json = R"({"prompts": ["a cat",
      {"prompt": "a dog runs\n", "duration": 12.5, "seed": 9223372036854775807},
      {"prompt": "the sea", "clips": 3, "transition": "cut", "image": "sea.png"},
      {"transition": "continue", "prompt": "the sky: blue", "seed": 0}]})";
  for (const std::string file : {"in/p.YAML", "in/p.json"}) {
    const auto segments = parse_prompts(file == "in/p.json" ? json : yaml, file);
    ASSERT_THAT(prompts_of(segments),
                ElementsAre("a cat", "a dog runs", "the sea", "the sky: blue"));
    EXPECT_FALSE(segments[0].seed.has_value());
    EXPECT_EQ(segments[1].seconds, 12.5);
    EXPECT_EQ(segments[1].clips, 0);
    EXPECT_EQ(segments[1].seed, std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(segments[2].clips, 3);
    EXPECT_EQ(segments[2].transition, Transition::cut);
    EXPECT_EQ(segments[2].image, "in/sea.png");
    EXPECT_EQ(segments[3].transition, Transition::proceed);
    EXPECT_EQ(segments[3].seed, 0);
  }
  EXPECT_EQ(parse_prompts("- a\n- |\n  b\n\n...\n", "p.yml")[1].prompt, "b");
  EXPECT_EQ(parse_prompts(yaml, "p.yml")[2].origin, "p.yml:10");
  EXPECT_EQ(parse_prompts(json, "p.json")[2].origin, "p.json:3");
  EXPECT_EQ(parse_prompts("[{\"prompt\": \"a\", \"transition\": \"cut\", \"image\": \"/b.png\"}]",
                          "in/p.json")[0]
                .image,
            "/b.png");
}

TEST(PromptFile, SaysWhatIsMeantWhereThePythonWritersOfAllFormsSayTheSame) {
  const auto folder = std::filesystem::path(SVI_SOURCE_DIR) / "tests/data/generate";
  std::istringstream raw(bytes_of_file(folder / "prompts.raw"));
  std::vector<std::string> expected;
  for (std::string text; std::getline(raw, text, '\0');) expected.push_back(text);
  ASSERT_EQ(expected.size(), 200u);
  for (const auto* name : {"prompts.txt", "prompts_ascii.txt", "prompts.json", "prompts_utf8.json",
                           "prompts.yaml", "prompts_ascii.yml"}) {
    EXPECT_EQ(prompts_of(read_prompts(folder / name)), expected) << name;
  }
}

TEST(PromptFile, SaysWhereAndWhatIsWrong) {
  const auto refused = [](const std::string& yaml, const std::string& message) {
    EXPECT_THAT(refusal_of(yaml, "p.yaml"), HasSubstr(message)) << yaml;
  };
  refused("- prompt: a\n  durration: 3\n", "p.yaml:2: unknown key `durration`; did you mean `dur");
  refused("- a cat: asleep\n", "p.yaml:1: unknown key `a cat`; known: prompt, duration, clips, ");
  refused("- a cat: asleep\n", "must stand in quotes");
  refused("promts:\n- a\n", "p.yaml:1: unknown key `promts`; did you mean `prompts`?");
  refused("prompts: [a]\nprompts: [b]\n", "p.yaml:2: `prompts` stands here again");
  refused("{}", "p.yaml: the key `prompts` is missing");
  refused("prompts:\n", "`prompts`: expected a list of prompts; got nothing");
  refused("- a\n- duration: 3\n", "p.yaml:2: this item's `prompt` is missing");
  refused("- {prompt: a, clips: 1, clips: 2}\n", "p.yaml:1: `clips` stands twice");
  refused("- prompt: a\n  clips: many\n", "p.yaml:2: `clips` is `many`; it must be a whole number");
  refused("- {prompt: a, clips: 0}", "`clips` is `0`; it must be a whole number of at least 1");
  refused("- {prompt: a, clips: 1000001}", "at most 1000000");
  refused("- {prompt: a, clips: 2.5}", "`clips` is `2.5`");
  refused("- {prompt: a, seed: -1}", "`seed` is `-1`; it must be a whole number from 0");
  refused("- {prompt: a, seed: 9223372036854775808}", "`seed` is `9223372036854775808`");
  for (const auto* duration : {"0", "-1", "nan", "inf", "1e7", "5s", "1e999"}) {
    refused(cat("- {prompt: a, duration: ", duration, "}"), cat("`duration` is `", duration, "`"));
  }
  refused("- {prompt: a, clips: 2, duration: 3}\n", "not both");
  refused("- {prompt: a, transition: fade}\n", "`transition` is `fade`; it must be one of cont");
  refused("- {prompt: a, transition: cut}\n", "a cut needs an `image`");
  refused("- {prompt: a, image: b.png}\n", "only a cut takes one");
  refused("- prompt: [a, b]\n", "p.yaml:1: `prompt`: expected one text or number; got a list");
  refused("- [a]\n", "expected a prompt, or a mapping with the key `prompt`; got a list");
  refused("- a\n-\n- b\n", "expected a prompt, or a mapping with the key `prompt`; got nothing");
  refused("- ''\n", "p.yaml:1: a prompt is empty");
  refused("hello\n", "expected a list of prompts, or a mapping with one under `prompts`");
  refused("- a\n---\n- b\n", "p.yaml:3: expected nothing more");
  refused("# nothing\n", "p.yaml: holds no prompt");
  refused("- 'a\n- b\n", "is not valid YAML: a quote before this line has no end");
  refused("- \"a", "is not valid YAML: a quote before this line has no end");
  EXPECT_THAT(refusal_of("# nothing\n\n", "p.txt"), HasSubstr("p.txt: holds no prompt"));
}

TEST(PromptFile, SaysWhatIsNoJson) {
  const auto refused = [](const std::string& json, const std::string& message) {
    EXPECT_THAT(refusal_of(json, "p.json"), HasSubstr(message)) << json;
  };
  refused("[\"a\",\n 'b']", "p.json:2: is not valid JSON: see `'b']`");
  refused("[\"a\", ", "p.json:1: is not valid JSON: it ends too early");
  refused("", "is not valid JSON: it ends too early");
  refused("[\"a\"]\n]", "p.json:2: is not valid JSON: see `]`");
  refused(
      "[\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\" "
      "\"a\"]",
      "p.json:1: is not valid JSON: see `\xc3\xa9");
  refused("[\"a\",\n{\"prompt\": \"b\",\n\"seed\": 1.5\n}]", "p.json:3: `seed` is `1.5`");
  refused("[\n{\"prompt\": \"b\",\n\"clips\":\n-12\n}]", "p.json:4: `clips` is `-12`");
  refused("[true]", "expected a prompt, or a mapping with the key `prompt`; got true or false");
  refused("[{\"prompt\": null}]", "`prompt`: expected one text or number; got null");
  refused("[\"a\", 1e999]", "is not valid JSON");
  refused("[\"\\ud83d\"]", "is not valid JSON");
}

TEST(PromptFile, HostileTextsEndInAnError) {
  const std::string deep(1'000'000, '[');
  EXPECT_THAT(refusal_of(deep, "p.yaml"), HasSubstr("got a list"));
  EXPECT_THAT(refusal_of(deep, "p.json"), HasSubstr("got a list"));
  EXPECT_THAT(refusal_of("- &a [x, x]\n- [*a, *a]\n", "p.yaml"),
              HasSubstr("p.yaml:1: anchors (&) and tags (!) are not known here"));
  EXPECT_THAT(refusal_of("- a\n- \"\\_b\"\n", "p.yaml"),
              HasSubstr("p.yaml:2: `prompt` holds an escape that is no text"));
  for (const std::string stray : {",a", "]", "}", ", ]", "# c\n\n,"})
    EXPECT_THAT(refusal_of(stray, "p.yaml"), HasSubstr("is not valid YAML")) << stray;
  EXPECT_THAT(refusal_of("- a\n- b\x04\n- c\n", "p.yaml"), HasSubstr("p.yaml:2: holds control"));
  EXPECT_THAT(refusal_of(std::string("a\0b", 3), "p.txt"), HasSubstr("p.txt:1: holds control"));
  EXPECT_THAT(refusal_of("- *bold* letters\n", "p.yaml"), HasSubstr("p.yaml:1:"));
  EXPECT_THAT(refusal_of("- !!python/object:os.system x\n", "p.yaml"), HasSubstr("tags (!)"));
  EXPECT_THAT(refusal_of("- a\n- \"\\e[2J\"\n", "p.yaml"),
              HasSubstr("p.yaml:2: `prompt` holds control characters"));
  EXPECT_THAT(refusal_of("[\"a\\u009b2J\"]", "p.json"), HasSubstr("holds control characters"));
  EXPECT_THAT(refusal_of("prompts = ['a\\0b']", "p.txt"), HasSubstr("holds control characters"));
  EXPECT_THAT(refusal_of("- {prompt: a, transition: cut, image: \"a.png\\0.txt\"}", "p.yaml"),
              HasSubstr("`image` holds control characters"));
  for (const std::string bytes : {"\xff\xfe"
                                  "a",
                                  "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\xa3",
                                  "\xe0\x80\x80", "\xf0\x80\x80\x80", "\x80"}) {
    EXPECT_THAT(refusal_of("a\nb\n" + bytes, "p.txt"), HasSubstr("p.txt:3: is not UTF-8 text"));
  }
  EXPECT_THAT(refusal_of(std::string(5 << 20, 'a'), "p.txt"), HasSubstr("longer than 4 MiB"));
  EXPECT_THAT(refusal_of(std::string(70'000, 'a'), "p.txt"), HasSubstr("a prompt of 70000 bytes"));
  std::string many;
  for (int i = 0; i <= 100'000; ++i) many += "a\n";
  EXPECT_THAT(refusal_of(many, "p.txt"), HasSubstr("p.txt:100001: more than 100000 prompts"));
}

TEST(PromptFile, MessagesShowLittleOfLongTexts) {
  for (const std::string file : {"p.yaml", "p.json"}) {
    const auto long_key = "[{\"" + std::string(100'000, 'k') + "\": \"a\"}]";
    EXPECT_LT(refusal_of(long_key, file).size(), 400u) << file;
  }
  EXPECT_LT(refusal_of("[\"" + std::string(100'000, 'k'), "p.json").size(), 400u);
  EXPECT_LT(refusal_of("prompts = [" + std::string(100'000, 'k'), "p.txt").size(), 400u);
}

TEST(PromptFile, IsReadFromDiskOrRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder / "p.txt") << "a cat\n";
  EXPECT_EQ(read_prompts(folder / "p.txt")[0].prompt, "a cat");
  const auto refused = [](const std::string& path, const std::string& message) {
    try {
      read_prompts(path);
      FAIL() << path;
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  };
  refused(folder / "none.txt", "none.txt: cannot be opened");
  refused(folder.path(), "cannot be read; is it a folder?");
  refused("/dev/zero", "longer than 4 MiB");
}

}  // namespace
}  // namespace svi
