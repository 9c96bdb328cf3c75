#include "svi/story/story.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pocket/pocket_scene.hpp"
#include "story/test_server.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/generate/prompt_file.hpp"
#include "svi/generate/sample_files.hpp"
#include "svi/story/answer_cache.hpp"
#include "svi/story/grammar.hpp"
#include "svi/story/prompt_check.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

Document settings_of(const std::vector<std::pair<std::string, std::string>>& values) {
  Document settings;
  settings.set("story.cache", "none", "test");
  for (const auto& [path, value] : values) settings.set(path, value, "test");
  return settings;
}

const Registry& registry() {
  static const auto* made = [] {
    auto* all = new Registry;
    register_builtins(*all);
    return all;
  }();
  return *made;
}

std::string story_error(const std::vector<std::pair<std::string, std::string>>& values) {
  try {
    tell_story(settings_of(values), registry());
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Story, OfAWordIsTheSameAgainByteForByte) {
  const auto settings = settings_of({{"story.keyword", "motorcycle"}, {"story.clips", "5"}});
  const TemporaryFolder folder;

  const auto story = tell_story(settings, registry());
  write_story(story, folder / "a");
  write_story(tell_story(settings, registry()), folder / "b");
  write_story(story, folder / "a");  // is there already

  for (const auto* file : {"frame.png", "prompt.txt", "story.json"})
    EXPECT_EQ(bytes_of_file(folder / ("a/" + std::string(file))),
              bytes_of_file(folder / ("b/" + std::string(file))));
  EXPECT_EQ(folder.count(), 2);
}

TEST(Story, OfAnotherWordOrSeedIsAnotherOne) {
  const auto prompt = [](const char* word, const char* seed) {
    return tell_story(settings_of({{"story.keyword", word}, {"story.seed", seed}}), registry())
        .prompt_text;
  };
  EXPECT_NE(prompt("motorcycle", "0"), prompt("cat", "0"));
  EXPECT_NE(prompt("motorcycle", "0"), prompt("motorcycle", "1"));
}

TEST(Story, IsASampleThatFilmsRead) {
  const TemporaryFolder folder;
  const auto story =
      tell_story(settings_of({{"story.keyword", "a cat"}, {"story.clips", "12"}}), registry());
  write_story(story, folder / "cat");

  const auto sample = find_sample(folder / "cat");
  const auto prompts = read_prompts(sample.prompts.string());

  EXPECT_EQ(sample.image.filename(), "frame.png");
  ASSERT_EQ(prompts.size(), 12u);
  for (std::size_t i = 0; i < prompts.size(); ++i)
    EXPECT_EQ(prompts[i].prompt, story.beats[i].prompt);
  const auto json = nlohmann::json::parse(bytes_of_file(folder / "cat/story.json"));
  EXPECT_EQ(json["keyword"], "a cat");
  EXPECT_EQ(json["picture"]["sha256"], sha256_file(sample.image));
  EXPECT_EQ(json["prompts"]["sha256"], sha256_file(sample.prompts));
  EXPECT_EQ(json["settings"]["image_source"]["type"], "world");
  EXPECT_EQ(keyword_of_story(folder / "cat"), "a cat");
}

TEST(Story, OfThePocketBeginsAsItsPictureAndChangesTheScene) {
  const auto story =
      tell_story(settings_of({{"story.keyword", "harbour"}, {"story.clips", "20"}}), registry());

  auto before = parse_pocket_prompt(story.picture.caption);
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(story.beats[0].prompt, before->text());
  for (std::size_t i = 1; i < story.beats.size(); ++i) {
    const auto now = parse_pocket_prompt(story.beats[i].prompt);
    ASSERT_TRUE(now.has_value()) << story.beats[i].prompt;
    EXPECT_EQ(now->text(), story.beats[i].prompt);  // in the words that the weights know
    EXPECT_EQ(now->layout, before->layout);
    const int changes = (now->disc != before->disc) + (now->rightward != before->rightward) +
                        (now->bands[0] != before->bands[0]) + (now->bands[1] != before->bands[1]) +
                        (now->bands[2] != before->bands[2]);
    EXPECT_EQ(changes, 1) << story.beats[i].prompt;
    before = now;
  }
}

TEST(Story, StartsFromAPictureThatIsGiven) {
  const TemporaryFolder folder;
  const auto frame = tell_story(settings_of({{"story.keyword", "x"}}), registry()).picture.bytes;
  write_bytes(folder / "mine.png", frame);

  const auto story = tell_story(settings_of({{"story.keyword", "x"},
                                             {"image_source.type", "given"},
                                             {"image_source.file", folder / "mine.png"}}),
                                registry());

  EXPECT_EQ(story.picture.bytes, frame);
  write_bytes(folder / "text.png", "no picture");
  EXPECT_THAT(story_error({{"story.keyword", "x"},
                           {"image_source.type", "given"},
                           {"image_source.file", folder / "text.png"}}),
              HasSubstr("is no JPEG, PNG"));
}

TEST(Story, TakesThePictureOfAFolderThatHasMostOfItsWords) {
  const TemporaryFolder folder;
  const auto frame = [](const char* word) {
    return tell_story(settings_of({{"story.keyword", word}}), registry()).picture.bytes;
  };
  write_bytes(folder / "red_cat.png", frame("a"));
  write_bytes(folder / "img2.png", frame("b"));
  write_bytes(folder / "img2.txt", "a black cat on the moon\n");
  const std::vector<std::pair<std::string, std::string>> values = {
      {"image_source.type", "folder"}, {"image_source.folder", folder.path().string()}};
  auto of = [&](const char* word) {
    auto all = values;
    all.emplace_back("story.keyword", word);
    return all;
  };

  EXPECT_EQ(tell_story(settings_of(of("red cat")), registry()).picture.page, "red_cat.png");
  const auto moon = tell_story(settings_of(of("cat moon")), registry());
  EXPECT_EQ(moon.picture.page, "img2.png");
  EXPECT_EQ(moon.picture.caption, "a black cat on the moon");
  EXPECT_THAT(story_error(of("horse")), HasSubstr("none of its 2 pictures has a word of 'horse'"));

  write_bytes(folder / "table.csv", "file,caption\nimg2.png,\"a horse, running\"\n");
  auto table = of("horse");
  table.emplace_back("image_source.captions", folder / "table.csv");
  EXPECT_EQ(tell_story(settings_of(table), registry()).picture.caption, "a horse, running");
}

TEST(Story, OfOpenverseKeepsLicenceAndAttribution) {
  const TestServer server;
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> values = {
      {"story.keyword", "a cat"},
      {"story.cache", folder / "cache"},
      {"image_source.type", "openverse"},
      {"image_source.backoff", "0"},
      {"image_source.url", server.url("lies")}};

  const auto story = tell_story(settings_of(values), registry());
  const auto asked = server.requests().size();
  const auto again = tell_story(settings_of(values), registry());

  EXPECT_THAT(server.requests()[0]["path"].get<std::string>(), HasSubstr("/images/?q=a%20cat"));
  EXPECT_EQ(story.picture.license, "by 4.0");
  EXPECT_THAT(story.picture.attribution, HasSubstr("by Ann is licensed"));
  EXPECT_EQ(story.picture.title, "A cat<U+202E> asleep");
  EXPECT_EQ(asked, 3u);  // the list, one that is no picture, one that is
  EXPECT_EQ(server.requests().size(), asked);
  EXPECT_EQ(story.description, again.description);
}

TEST(Story, OfOpenverseTellsWhatIsWrong) {
  const TestServer server;
  const auto error = [&](const char* mode) {
    return story_error({{"story.keyword", "cat"},
                        {"image_source.type", "openverse"},
                        {"image_source.backoff", "0"},
                        {"image_source.url", server.url(mode)}});
  };
  EXPECT_THAT(error("none"), HasSubstr("has no picture of 'cat' under the licences"));
  EXPECT_THAT(error("page"), HasSubstr("does not answer as Openverse does"));
  EXPECT_THAT(error("file"), HasSubstr("neither http nor https"));
}

TEST(Story, RefusesKeywordsAndFoldersThatDoNotFit) {
  EXPECT_THAT(story_error({}), HasSubstr("keyword is missing"));
  EXPECT_THAT(story_error({{"story.keyword", "a\x07 cat"}}), HasSubstr("control"));
  EXPECT_THAT(story_error({{"story.keyword", "cat"}, {"storyteller.type", "poet"}}),
              HasSubstr("poet"));
  const TemporaryFolder folder;
  write_bytes(folder / "file", "x");
  const auto story = tell_story(settings_of({{"story.keyword", "cat"}}), registry());
  EXPECT_THROW(write_story(story, folder / "file"), ConfigError);
  EXPECT_THROW(write_story(story, folder.path()), ConfigError);
  EXPECT_EQ(folder.count(), 1);
}

TEST(Story, IsWrittenWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const auto story = tell_story(settings_of({{"story.keyword", "cat"}}), registry());
  {
    const FileSizeLimit full(100);
    EXPECT_THROW(write_story(story, folder / "cat"), IoError);
  }
  EXPECT_EQ(folder.count(), 0);
}

TEST(AnswerCache, GivesBackWhatItKeptUnlessItIsDamaged) {
  const TemporaryFolder folder;
  const AnswerCache cache(folder.path());
  EXPECT_FALSE(cache.find("q").has_value());

  cache.keep("q", "answer");

  EXPECT_EQ(cache.find("q"), "answer");
  const auto file = cache.file_of("q").string();
  write_bytes(file, bytes_of_file(file) + "!");
  EXPECT_FALSE(cache.find("q").has_value());
  write_bytes(file, "");
  EXPECT_FALSE(cache.find("q").has_value());
}

TEST(Grammar, OfTheLibraryTellsAsManyDifferentClipsAsAreAskedFor) {
  const Grammar grammar(grammar_document("/nowhere"));

  const auto beats = grammar.tell("motorcycle", "", 100, 0);

  const PromptRules rules{.clips = 100, .longest = 60, .unit = "words", .length = [](auto text) {
                            return static_cast<std::int64_t>(words_of_text(text).size());
                          }};
  EXPECT_EQ(story_problem(beats, rules), "");
  for (const auto& beat : beats) EXPECT_THAT(beat.prompt, HasSubstr("motorcycle"));
}

TEST(Grammar, RefusesRulesThatCannotHold) {
  const auto error = [](const std::string& text) -> std::string {
    try {
      Grammar(Document::parse(text, "g.ini")).tell("x", "", 3, 0);
    } catch (const ConfigError& wrong) {
      return wrong.what();
    }
    return "no error";
  };
  const std::string head =
      "[grammar]\nstate = a {c}\nmotion = goes on\nprompt = {state} {motion}\n";
  EXPECT_THAT(error(head), HasSubstr("{c} has no [slot.c]"));
  EXPECT_THAT(error(head + "[slot.c]\n"), HasSubstr("[slot.c] has no values"));
  EXPECT_THAT(error(head + "[slot.c]\nvalues = a, b\n"), HasSubstr("words for 2 different clips"));
  EXPECT_THAT(error(head + "distinct = d\n[slot.c]\nvalues = a, b\n"), HasSubstr("is no slot"));
  EXPECT_THAT(error(head + "distinct = c, d\n[slot.c]\nvalues = a\n[slot.d]\nvalues = a\n"),
              HasSubstr("too few values"));
  EXPECT_THAT(error(head + "[other]\n"), HasSubstr("there is no section [other]"));
}

}  // namespace
}  // namespace svi
