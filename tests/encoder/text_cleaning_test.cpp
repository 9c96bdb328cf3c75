#include "svi/encoder/text_cleaning.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "svi/core/random.hpp"

namespace svi {
namespace {

struct Pair {
  std::string input, expected;
};

// Lines of a file of make_text_fixtures.py: what Python's ftfy and html make of a text.
std::vector<Pair> pairs(const std::string& name) {
  std::ifstream in(std::string(SVI_SOURCE_DIR) + "/tests/data/encoder/" + name);
  std::vector<Pair> all;
  for (std::string line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    const auto text = [](const std::string& json) {
      return nlohmann::json::parse(json).get<std::string>();
    };
    all.push_back({text(line.substr(0, tab)), text(line.substr(tab + 1))});
  }
  return all;
}

std::string random_bytes(std::uint32_t stream, bool high) {
  std::vector<float> noise(80);
  fill_uniform({.seed = 3, .purpose = Purpose::data_content, .stream = stream}, noise.data(),
               static_cast<std::int64_t>(noise.size()));
  std::string text;
  for (const float value : noise) {
    text += static_cast<char>(static_cast<int>(high ? 128 + value * 128 : value * 256));
  }
  return text;
}

TEST(CleanPrompt, EqualsFtfyAndHtmlOnEveryCleanPrompt) {
  const auto all = pairs("clean_prompts.tsv");
  ASSERT_GT(all.size(), 150U);
  for (const auto& [input, expected] : all) EXPECT_EQ(clean_prompt(input), expected);
}

TEST(CleanPrompt, EqualsHtmlOnEveryEntity) {
  const auto all = pairs("entities.tsv");
  ASSERT_GE(all.size(), 30U);
  for (const auto& [input, expected] : all) EXPECT_EQ(clean_prompt(input), expected) << input;
}

// The rest is text that one of the two leaves in pieces or that no rule can tell.
TEST(CleanPrompt, RepairsAtLeastFourOfFiveMojibakeLinesAsFtfyDoes) {
  const auto all = pairs("mojibake.tsv");
  ASSERT_GT(all.size(), 400U);
  std::size_t equal = 0;
  for (const auto& [input, expected] : all) equal += clean_prompt(input) == expected ? 1 : 0;
  RecordProperty("equal", static_cast<int>(equal));
  EXPECT_GE(static_cast<double>(equal), 0.8 * static_cast<double>(all.size()));
}

TEST(CleanPrompt, LeavesItsOwnResultAlone) {
  for (const char* name : {"clean_prompts.tsv", "mojibake.tsv"}) {
    for (const auto& [input, expected] : pairs(name)) {
      const auto once = clean_prompt(input);
      EXPECT_EQ(clean_prompt(once), once);
    }
  }
}

TEST(CleanPrompt, TakesAnyBytesAndGivesUtf8) {
  for (std::uint32_t round = 0; round < 2000; ++round) {
    const auto cleaned = clean_prompt(random_bytes(round, round % 2 == 0));
    EXPECT_NO_THROW(nlohmann::json(cleaned).dump());  // refuses what is not UTF-8
  }
}

TEST(CleanPrompt, CutsNoEntityFromAnEndlessRow) {
  EXPECT_EQ(clean_prompt(std::string(100000, '&')), std::string(100000, '&'));
}

TEST(UnescapeHtml, TakesTheLongestNameWithoutSemicolon) {
  EXPECT_EQ(unescape_html("&notin; &notit; &not"), "\u2209 \u00ACit; \u00AC");
}

TEST(FixText, KeepsEntitiesOnceATagHasBeenSeen) {
  EXPECT_EQ(fix_text("&lt;\n<b>&lt;</b>\n&lt;"), "<\n<b>&lt;</b>\n&lt;");
}

}  // namespace
}  // namespace svi
