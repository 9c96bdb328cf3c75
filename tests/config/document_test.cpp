#include "svi/config/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    Document::parse(text, "x.ini");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Document, KeepsOrderLinesAndValues) {
  const auto document =
      Document::parse("# a comment\n[b]\nkey = one two  # trailing\n\n[a.c]\nx=1;2\n", "x.ini");

  ASSERT_EQ(document.sections().size(), 2u);
  EXPECT_EQ(document.sections()[0].name, "b");
  EXPECT_EQ(document.get("b", "key"), "one two");
  EXPECT_EQ(document.get("a.c", "x"), "1;2");
  EXPECT_EQ(document.find("b")->entries[0].origin, "x.ini:3");
  EXPECT_EQ(document.get("b", "missing"), std::nullopt);
}

TEST(Document, TextReadsBackToTheSameDocument) {
  auto document = Document::parse("[a]\nx = \"# not a comment\"\ny =\n[b.c]\nz = 1, 2\n", "x.ini");
  document.set("b.c.w", "3", "--set");

  const auto again = Document::parse(document.text(), "y.ini");

  EXPECT_EQ(again.text(), document.text());
  EXPECT_EQ(again.get("a", "x"), "# not a comment");
  EXPECT_EQ(again.get("b.c", "w"), "3");
}

TEST(Document, RefusesWhatIsNotIniAndSaysWhere) {
  EXPECT_THAT(refusal("key = 1\n"),
              HasSubstr("x.ini:1: 'key = 1' stands before the first [section]"));
  EXPECT_THAT(refusal("[a]\nnonsense\n"), HasSubstr("x.ini:2"));
  EXPECT_THAT(refusal("[a\n"), HasSubstr("without ']'"));
  EXPECT_THAT(refusal("[a]\nx=1\nx=2\n"), HasSubstr("x.ini:3: key 'x' stands already at x.ini:2"));
  EXPECT_THAT(refusal("[a]\n[b]\n[a]\n"),
              HasSubstr("x.ini:3: section [a] stands already at x.ini:1"));
  EXPECT_THAT(refusal("[a b]\n"), HasSubstr("no section name"));
}

TEST(Document, RefusesAMissingFile) {
  EXPECT_THROW(Document::read("/nonexistent/x.ini"), ConfigError);
}

}  // namespace
}  // namespace svi
