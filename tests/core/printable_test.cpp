#include "svi/core/printable.hpp"

#include <gtest/gtest.h>

namespace svi {
namespace {

TEST(Printable, ShowsWhatWouldNotShow) {
  EXPECT_EQ(printable("plain, caf\u00e9, \u6f22"), "plain, caf\u00e9, \u6f22");
  EXPECT_EQ(printable("\uFEFFa\u200Bb\u00A0c\td"), "<U+FEFF>a<U+200B>b<U+00A0>c<U+0009>d");
  EXPECT_EQ(printable("\x1b[2J"), "<U+001B>[2J");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a<U+0000>b");
}

TEST(Printable, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("caf\xE9"), "caf<0xE9>");
  EXPECT_EQ(printable("\xC0\x80"), "<0xC0><0x80>");                      // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "<0xED><0xA0><0x80>");            // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "<0xF4><0x90><0x80><0x80>");  // beyond the last
  EXPECT_EQ(printable("\xE6\xBC"), "<0xE6><0xBC>");                      // cut
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("\u6f22\u5b57\u6f22", 2), "\u6f22\u5b57...");
  EXPECT_EQ(printable("abc", 3), "abc");
}

}  // namespace
}  // namespace svi
