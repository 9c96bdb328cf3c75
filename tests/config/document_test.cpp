#include "svi/config/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using testing::HasSubstr;

std::string document_refusal(const std::string& text) {
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
  EXPECT_THAT(document_refusal("key = 1\n"),
              HasSubstr("x.ini:1: 'key = 1' stands before the first [section]"));
  EXPECT_THAT(document_refusal("[a]\nnonsense\n"), HasSubstr("x.ini:2"));
  EXPECT_THAT(document_refusal("[a\n"), HasSubstr("without ']'"));
  EXPECT_THAT(document_refusal("[a]\nx=1\nx=2\n"),
              HasSubstr("x.ini:3: key 'x' stands already at x.ini:2"));
  EXPECT_THAT(document_refusal("[a]\n[b]\n[a]\n"),
              HasSubstr("x.ini:3: section [a] stands already at x.ini:1"));
  EXPECT_THAT(document_refusal("[a b]\n"), HasSubstr("no section name"));
}

TEST(Document, TakesFilesOfOtherSystems) {
  const auto expected = Document::parse("[a]\nx = 1\ny = caf\u00e9\n", "x.ini").text();

  EXPECT_EQ(Document::parse("\xEF\xBB\xBF[a]\r\nx = 1\r\ny = caf\u00e9\r\n", "x.ini").text(),
            expected);
  EXPECT_EQ(Document::parse("\xEF\xBB\xBF# comment\n[a]\nx = 1\ny = caf\u00e9", "x.ini").text(),
            expected);
  EXPECT_EQ(Document::parse("[a]\n\tx = 1  # \x01 in a comment\ny = \"caf\u00e9\"", "x.ini").text(),
            expected);
}

TEST(Document, NamesOtherEncodings) {
  const std::string text = "[experiment]\nname = x\n";
  std::string little, big, wide;
  for (const char c : text) {
    little += {c, '\0'};
    big += {'\0', c};
    wide += {c, '\0', '\0', '\0'};
  }

  for (const auto& bytes :
       {"\xFF\xFE" + little, "\xFE\xFF" + big, little, big, std::string("\xFF\xFE\0\0", 4) + wide})
    EXPECT_THAT(document_refusal(bytes),
                HasSubstr("x.ini: is a text in UTF-16 or UTF-32; save it as UTF-8"));
  EXPECT_THAT(document_refusal("[a]\nx = caf\xE9\n"),
              HasSubstr("x.ini:2: column 8: the byte <0xE9> is not UTF-8"));
}

TEST(Document, NamesCharactersThatDoNotShow) {
  EXPECT_THAT(document_refusal(std::string("[a]\nx = 1\ny = 2\0 3\n", 20)),
              HasSubstr("x.ini:3: holds a NUL byte"));
  EXPECT_THAT(document_refusal("[a]\nx = \x1b[31m\n"),
              HasSubstr("x.ini:2: column 5: the control character <U+001B> does not show"));
  EXPECT_THAT(document_refusal("[a]\rx = 1\r"),
              HasSubstr("x.ini:1: column 4: the control character <U+000D>"));
  EXPECT_THAT(document_refusal("[a]\n\uFEFFx = 1\n"), HasSubstr("x.ini:2: column 1"));
  EXPECT_THAT(document_refusal("[a]\n\u200Bx = 1\n"), HasSubstr("x.ini:2: '<U+200B>x' is no key"));
  EXPECT_THAT(document_refusal("[a\u00A0]\n"), HasSubstr("'a<U+00A0>' is no section name"));
  EXPECT_THAT(document_refusal(std::string(5000, 'x')), testing::SizeIs(testing::Lt(300u)));
}

TEST(Document, RefusesValuesThatItsTextCouldNotHold) {
  auto document = Document::parse("[a]\nx = 1\n", "x.ini");

  EXPECT_THROW(document.set("a.x", "1\n[b]", "--set"), ConfigError);
  EXPECT_THROW(document.set("a.x", "\x07", "--set"), ConfigError);
  document.set("a.x", "tab\there", "--set");
  EXPECT_EQ(document.get("a", "x"), "tab\there");
}

TEST(Document, RefusesAMissingFile) {
  EXPECT_THROW(Document::read("/nonexistent/x.ini"), ConfigError);
}

}  // namespace
}  // namespace svi
