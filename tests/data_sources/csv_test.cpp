#include "svi/data/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, ReadsQuotesCommasAndLineBreaks) {
  EXPECT_EQ(parse_csv("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\n", "t"),
            (Rows{{"a", "b"}, {"x, \"y\"", "two\nlines"}}));
}

TEST(Csv, TakesEmptyFieldsAndAMissingLastLineEnd) {
  EXPECT_EQ(parse_csv("a,,\n,\"\",c", "t"), (Rows{{"a", "", ""}, {"", "", "c"}}));
  EXPECT_EQ(parse_csv("", "t"), Rows{});
  EXPECT_EQ(parse_csv("\xef\xbb\xbfname\n\n\nvalue\n", "t"), (Rows{{"name"}, {"value"}}));
  EXPECT_EQ(parse_csv("a,", "t"), (Rows{{"a", ""}}));
}

TEST(Csv, TakesOtherSeparatorsAndTellsWhereRowsBegin) {
  std::vector<int> lines;
  EXPECT_EQ(parse_csv("a;b\n\n\"x;\ny\";2,5\n\r\nc;d", "t", ';', &lines),
            (Rows{{"a", "b"}, {"x;\ny", "2,5"}, {"c", "d"}}));
  EXPECT_EQ(lines, (std::vector<int>{1, 3, 6}));
}

TEST(Csv, NamesTheLineOfABrokenQuote) {
  const auto message_of = [](const char* text) -> std::string {
    try {
      parse_csv(text, "captions.csv");
    } catch (const IoError& error) {
      return error.what();
    }
    return "no error";
  };

  EXPECT_THAT(message_of("a\n\"b\nc"), testing::HasSubstr("captions.csv:2: a quoted field"));
  EXPECT_THAT(message_of("a\nb\n\"c\"d"), testing::HasSubstr("captions.csv:3: expected a comma"));
}

}  // namespace
}  // namespace svi
