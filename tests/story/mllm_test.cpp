#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "story/test_server.hpp"
#include "support/captured_log.hpp"
#include "svi/core/check.hpp"
#include "svi/plugin/registry.hpp"
#include "svi/story/builtins.hpp"
#include "svi/story/prompt_check.hpp"
#include "svi/story/storyteller.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Mllm : public ::testing::Test {
 protected:
  Mllm() {
    Registrar registrar(registry_, "test");
    register_story(registrar);
    setenv("SVI_STORY_KEY", "s3cret", 1);
  }
  ~Mllm() override { unsetenv("SVI_STORY_KEY"); }

  std::vector<StoryBeat> told(const std::string& mode,
                              const std::vector<std::pair<std::string, std::string>>& more = {}) {
    Document settings;
    settings.set("storyteller.type", "mllm", "test");
    settings.set("storyteller.url", server_.url(mode + "/v1"), "test");
    settings.set("storyteller.backoff", "0", "test");
    for (const auto& [key, value] : more) settings.set("storyteller." + key, value, "test");
    const PromptRules rules{.clips = 3, .longest = 100, .unit = "words", .length = [](auto text) {
                              return static_cast<std::int64_t>(words_of_text(text).size());
                            }};
    const auto teller = registry_.make<Storyteller>(settings, "");
    return teller->tell({.keyword = "cat",
                         .clips = 3,
                         .picture = "\x89PNG\r\n\x1A\nbytes",
                         .cache = cache_,
                         .problem = [&](const std::vector<StoryBeat>& beats) {
                           return story_problem(beats, rules);
                         }});
  }

  std::string error_of(const std::string& mode,
                       const std::vector<std::pair<std::string, std::string>>& more = {}) {
    try {
      told(mode, more);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TestServer server_;
  TemporaryFolder folder_;
  Registry registry_;
  std::filesystem::path cache_;  // none, unless a test sets it
};

TEST_F(Mllm, AsksForAStoryAboutThePicture) {
  const auto beats = told("good");

  ASSERT_EQ(beats.size(), 3u);
  EXPECT_EQ(beats[1].prompt, "a cat on the moon, clip one 1. it jumps one times.");
  const auto asked = server_.requests();
  ASSERT_EQ(asked.size(), 2u);  // the models, then the story
  const auto body = nlohmann::json::parse(asked[1]["body"].get<std::string>());
  EXPECT_EQ(body["model"], "tiny-vl");
  EXPECT_EQ(body["messages"][0]["content"][1]["image_url"]["url"],
            "data:image/png;base64,iVBORw0KGgpieXRlcw==");
  EXPECT_EQ(body["response_format"]["type"], "json_schema");
}

TEST_F(Mllm, TakesAnAnswerInAFence) { EXPECT_EQ(told("fenced").size(), 3u); }

TEST_F(Mllm, LetsTheModelMendAnAnswer) {
  EXPECT_EQ(told("repair", {{"model", "m"}}).size(), 3u);
  const auto asked = server_.requests();
  ASSERT_EQ(asked.size(), 2u);
  const auto body = nlohmann::json::parse(asked[1]["body"].get<std::string>());
  EXPECT_THAT(body["messages"][2]["content"].get<std::string>(),
              HasSubstr("there are 4 prompts instead of 3"));
}

TEST_F(Mllm, RefusesWhatStaysWrongAfterABoundedNumberOfRepairs) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"count", "there are 2 prompts instead of 3"},
      {"repeats", "prompt 2 repeats prompt 1"},
      {"controls", "control or hidden characters"},
      {"long", "at most 100 are read"},
      {"schema", "the list `beats`"},
      {"types", "beat 1 has no text `state`"},
      {"prose", "not valid JSON"},
      {"cut_off", "not valid JSON"},
      {"deep", "not valid JSON"}};
  for (const auto& [mode, message] : wrong) {
    const auto before = server_.requests().size();
    EXPECT_THAT(error_of(mode, {{"model", "m"}, {"repairs", "1"}}), HasSubstr(message)) << mode;
    EXPECT_EQ(server_.requests().size() - before, 2u) << mode;
  }
}

TEST_F(Mllm, RefusesServersThatDoNotSpeakItsLanguage) {
  EXPECT_THAT(error_of("page"), HasSubstr("lists no model"));
  EXPECT_THAT(error_of("page", {{"model", "m"}}), HasSubstr("OpenAI-compatible"));
  EXPECT_THAT(error_of("empty", {{"model", "m"}}), HasSubstr("OpenAI-compatible"));
  EXPECT_THAT(error_of("huge", {{"model", "m"}}), HasSubstr("more than 1048576 bytes"));
  EXPECT_THAT(error_of("away", {{"model", "m"}}), HasSubstr("sends requests elsewhere"));
}

TEST_F(Mllm, TheKeyIsTakenFromTheEnvironmentAndWrittenNowhere) {
  cache_ = folder_.path() / "cache";
  const CapturedLog log;

  const auto texts = error_of("denied") + error_of("wrong", {{"model", "m"}}) +
                     error_of("prose", {{"model", "m"}});
  told("good");

  EXPECT_EQ(server_.requests().back()["headers"]["Authorization"], "Bearer s3cret");
  EXPECT_THAT(texts, Not(HasSubstr("s3cret")));
  EXPECT_THAT(texts, HasSubstr("SVI_STORY_KEY"));
  EXPECT_THAT(log.text(), Not(HasSubstr("s3cret")));
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cache_)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_THAT(bytes_of_file(entry.path().string()), Not(HasSubstr("s3cret")));
  }
  EXPECT_EQ(files, 1);
}

TEST_F(Mllm, WithoutAKeyNoneIsSent) {
  unsetenv("SVI_STORY_KEY");
  told("good");
  EXPECT_FALSE(server_.requests().back()["headers"].contains("Authorization"));
}

TEST_F(Mllm, AKeptAnswerComesAgain) {
  cache_ = folder_.path() / "cache";

  const auto first = told("other", {{"model", "m"}}), again = told("other", {{"model", "m"}});
  cache_.clear();
  const auto asked = told("other", {{"model", "m"}});

  EXPECT_EQ(first[0].prompt, again[0].prompt);
  EXPECT_NE(first[0].prompt, asked[0].prompt);
}

}  // namespace
}  // namespace svi
