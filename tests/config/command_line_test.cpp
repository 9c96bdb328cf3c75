#include "svi/config/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string stray_refusal(const std::vector<CommandPart>& parts,
                          const std::vector<std::string>& repeatable = {}) {
  try {
    refuse_stray_words("program", parts, repeatable);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

CommandPart option(const std::string& name, const std::string& value) {
  return {name, {"--" + name, value}, false};
}
CommandPart stray(const std::string& word) { return {"", {word}, true}; }

TEST(StrayWords, AreShownInQuotesWhereTheyBelong) {
  const auto text =
      stray_refusal({option("prompt", "a"), stray("red"), stray("car"), option("out", "q")});
  EXPECT_THAT(text, HasSubstr("red, car belong to no option"));
  EXPECT_THAT(text, EndsWith("\n  program --prompt \"a red car\" --out q"));
  EXPECT_THAT(stray_refusal({{"prompt", {"--prompt=a"}, false}, stray("car")}),
              EndsWith("\n  program --prompt=\"a car\""));
}

TEST(StrayWords, GetAnOptionEachWhereTheyAreFiles) {
  const TemporaryFolder folder;
  const auto a = folder / "a.png", b = folder / "b.png";
  std::ofstream(a) << "x";
  std::ofstream(b) << "x";
  EXPECT_THAT(stray_refusal({option("image", a), stray(b)}, {"image"}),
              EndsWith("--image " + a + " --image " + b));
  EXPECT_THAT(stray_refusal({option("prompts", a), stray(b)}, {"image"}),
              HasSubstr("\"" + a + " " + b));
  std::ofstream(folder / "my cat.png") << "x";
  std::ofstream(folder / "my") << "x";
  EXPECT_THAT(stray_refusal({option("image", folder / "my"), stray("cat.png")}, {"image"}),
              EndsWith("--image \"" + (folder / "my cat.png") + "\""));
}

TEST(StrayWords, WithoutAPlaceAreOnlyNamed) {
  const auto text = stray_refusal({stray("film.mp4"), option("prompt", "x")});
  EXPECT_THAT(text, HasSubstr("film.mp4 belongs to no option; see program --help"));
  EXPECT_THAT(stray_refusal({{"resume", {"--resume"}, false}, stray("film.mp4")}),
              HasSubstr("see program --help"));
}

TEST(StrayWords, AreNotWhatAProgramTakes) {
  EXPECT_EQ(stray_refusal({option("prompt", "x"), {"", {"file.ini"}, false}}), "");
  EXPECT_THAT(stray_refusal({{"", {"x.ini"}, false}, stray("y.ini")}), HasSubstr("y.ini belongs"));
}

TEST(ShellQuoting, KeepsWordsWhole) {
  EXPECT_EQ(shell_quoted("film.mp4"), "film.mp4");
  EXPECT_EQ(shell_quoted(""), "\"\"");
  EXPECT_EQ(shell_quoted("a red car"), "\"a red car\"");
  EXPECT_EQ(shell_quoted("it's"), "\"it's\"");
  EXPECT_EQ(shell_quoted("$HOME isn't"), "'$HOME isn'\\''t'");
}

}  // namespace
}  // namespace svi
