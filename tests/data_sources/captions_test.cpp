// Tables of captions as people write them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/captured_log.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/data/video_folder.hpp"

namespace svi {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kHeader = "Filename,Video Description\n";

class Captions : public testing::Test {
 protected:
  Captions() {
    std::filesystem::create_directory(folder_.path() / "cars");
    for (const auto* name : {"one.mp4", "two.mp4"})
      write_bytes(folder_ / "cars" + ("/" + std::string(name)), "x");
  }

  /// The captions of one.mp4 and two.mp4 by this table; what was logged goes to `log_`.
  std::vector<std::string> read(const std::string& table, const std::string& name = "cars.csv") {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "cars")) {
      if (entry.path().extension() == ".csv" || entry.path().extension() == ".CSV")
        std::filesystem::remove(entry.path());
    }
    write_bytes((folder_.path() / "cars" / name).string(), table);
    const CapturedLog log;
    std::vector<std::string> captions;
    for (const auto& entry : list_videos(folder_.path().string(), "A video"))
      captions.push_back(entry.own_caption ? entry.caption : "-");
    log_ = log.text();
    return captions;
  }
  std::string error_of(const std::string& table) {
    try {
      read(table);
    } catch (const IoError& error) {
      EXPECT_THAT(error.what(), HasSubstr("cars.csv"));
      return error.what();
    }
    return "no IoError";
  }

  TemporaryFolder folder_;
  std::string log_;
};

TEST_F(Captions, AreCounted) {
  EXPECT_THAT(read(kHeader + "one.mp4,a red car\ntwo.mp4,\"a blue, fast car\"\n"),
              ElementsAre("a red car", "a blue, fast car"));
  EXPECT_THAT(log_, AllOf(HasSubstr("2 videos, 2 with captions of their own, 0 without"),
                          Not(HasSubstr("warning"))));

  EXPECT_THAT(read(kHeader + "two.mp4,a blue car\n"), ElementsAre("-", "a blue car"));
  EXPECT_THAT(
      log_,
      AllOf(HasSubstr("2 videos, 1 with captions of their own, 1 without"),
            HasSubstr("cars.csv: has captions for 1 of 2 videos; the first without is one.mp4")));
  EXPECT_THAT(read(kHeader + "one.mp4,\ntwo.mp4,a blue car\n"), ElementsAre("-", "a blue car"));
}

TEST_F(Captions, WithACommaButNoQuotesAreRefused) {
  EXPECT_THAT(
      error_of(kHeader + "two.mp4,a blue car\none.mp4,a red, big car\n"),
      HasSubstr(
          "cars.csv:3: has 3 fields where the first line has 2; put a text that holds a comma"));
  // Empty fields at the end, as spreadsheets write them, hold nothing.
  EXPECT_THAT(read(kHeader + "one.mp4,a red car,,\n"), ElementsAre("a red car", "-"));
}

TEST_F(Captions, OfNamesInOtherCaseAreTakenWithAWarning) {
  EXPECT_THAT(read(kHeader + "One.MP4,a red car\n"), ElementsAre("a red car", "-"));
  EXPECT_THAT(log_, HasSubstr("cars.csv:2: \"One.MP4\" is taken for one.mp4"));
}

TEST_F(Captions, OfNamesWithoutEndingAreTakenWithAWarning) {
  EXPECT_THAT(read(kHeader + "one,a red car\nTWO,a blue car\n"),
              ElementsAre("a red car", "a blue car"));
  EXPECT_THAT(log_, AllOf(HasSubstr("cars.csv:2: \"one\" is taken for one.mp4"),
                          HasSubstr("cars.csv:3: \"TWO\" is taken for two.mp4")));
  EXPECT_THAT(read(kHeader + "videos/one.mp4, a red car \n"), ElementsAre("a red car", "-"));
  EXPECT_THAT(log_, HasSubstr("is taken for one.mp4"));
}

TEST_F(Captions, ThatMayBelongToSeveralVideosAreLeft) {
  write_bytes((folder_.path() / "cars" / "one.mov").string(), "x");
  read(kHeader + "one,a red car\n");
  EXPECT_THAT(log_, HasSubstr("cars.csv:2: \"one\" may be several videos"));
}

TEST_F(Captions, WhoseQuoteSwallowsARowAreRefused) {
  EXPECT_THAT(error_of(kHeader + "one.mp4,\"a red car\ntwo.mp4,a blue car\"\n"),
              HasSubstr("cars.csv:2: a quoted field goes on over the row of two.mp4"));
  EXPECT_THAT(error_of("Video Description,Filename\n\"a red car\na blue car,two.mp4\"\n"),
              HasSubstr("cars.csv:2: a quoted field goes on over the row of two.mp4"));
  EXPECT_THAT(error_of(kHeader + "one.mp4,\"a red car\n"),
              HasSubstr("cars.csv:2: a quoted field has no closing quote"));
  EXPECT_THAT(error_of(kHeader + "one.mp4,\"a red\" car\n"),
              HasSubstr("cars.csv:2: expected a comma"));
  // A line break within a caption is nothing wrong.
  EXPECT_THAT(read(kHeader + "one.mp4,\"a red car,\nlarge\"\n"),
              ElementsAre("a red car,\nlarge", "-"));
}

TEST_F(Captions, MayBeSeparatedByOtherSignsThanCommas) {
  for (const std::string sign : {";", "\t", "|"}) {
    EXPECT_THAT(read("Filename" + sign + "Video Description\none.mp4" + sign + "a red, big car\n"),
                ElementsAre("a red, big car", "-"));
    EXPECT_THAT(read("\"Filename\"" + sign + "\"Video Description\"\none.mp4" + sign + "\"a " +
                     sign + " car\"\n"),
                ElementsAre("a " + sign + " car", "-"));
  }
  EXPECT_THAT(error_of("Filename;Video Description\none.mp4;a red; big car\n"),
              HasSubstr("cars.csv:2: has 3 fields"));
}

TEST_F(Captions, MayBeginWithAByteOrderMarkAndEndLinesAsOnWindows) {
  EXPECT_THAT(read("\xef\xbb\xbf"
                   "Filename,Video Description\r\none.mp4,a red car\r\ntwo.mp4,a blue car\r\n"),
              ElementsAre("a red car", "a blue car"));
  EXPECT_THAT(read("\xef\xbb\xbf"
                   "Filename;Video Description\rone.mp4;a red car\r"),
              ElementsAre("a red car", "-"));
  EXPECT_THAT(log_, Not(HasSubstr("is taken for")));
}

TEST_F(Captions, OfOtherEncodingsAreRefused) {
  std::string wide = "\xff\xfe";
  for (const char c : kHeader + "one.mp4,a red car\n") wide += {c, '\0'};
  EXPECT_THAT(error_of(wide), HasSubstr("cars.csv:1: is UTF-16 text; save it as UTF-8"));
  EXPECT_THAT(error_of(wide.substr(2)), HasSubstr("cars.csv:1: is not UTF-8 text"));
  EXPECT_THAT(error_of(kHeader + "one.mp4,a red caf\xe9\n"),
              HasSubstr("cars.csv:2: is not UTF-8 text"));
}

TEST_F(Captions, OfRowsThatFitNothingAreTold) {
  read(kHeader +
       "one.mp4,a red car\ntwo.mp4,a blue car\ngone.mp4,x\naway.mp4,y\nshort\none.mp4,a green "
       "car\n");
  EXPECT_THAT(
      log_,
      AllOf(
          HasSubstr("cars.csv:4: \"gone.mp4\": names no video of this folder, nor do 1 more rows"),
          HasSubstr("cars.csv:6: has 1 of 2 fields and is passed over"),
          HasSubstr("cars.csv:7: one.mp4 is named again")));
}

TEST_F(Captions, InATableOfAnotherNameAreTold) {
  EXPECT_THAT(read(kHeader + "one.mp4,a red car\n", "captions.csv"), ElementsAre("-", "-"));
  EXPECT_THAT(log_, AllOf(HasSubstr("captions.csv: is not read"), HasSubstr("cars.csv")));
  EXPECT_THAT(read("filename, VIDEO description \none.mp4,a red car\n", "Cars.CSV"),
              ElementsAre("a red car", "-"));
}

}  // namespace
}  // namespace svi
