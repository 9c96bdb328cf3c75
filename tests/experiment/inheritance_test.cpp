#include "svi/experiment/inheritance.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

/// Files by their paths.
struct Files {
  std::map<std::string, std::string> texts;

  Document read(const std::string& file) const {
    return read_with_bases(file, [&](const std::string& path) -> std::optional<std::string> {
      const auto found = texts.find(path);
      if (found == texts.end()) return std::nullopt;
      return found->second;
    });
  }
  std::string refusal(const std::string& file) const {
    try {
      read(file);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }
};

TEST(Inheritance, MergesSectionsKeyByKey) {
  const Files files{
      {{"x/world.ini", "[clip]\nframes = 5\nheight = 32\n[metric.psnr]\n"},
       {"x/a.ini", "[experiment]\nbase = world.ini\nname = a\n[clip]\nheight = 64\n"}}};
  const auto document = files.read("x/a.ini");

  EXPECT_EQ(document.get("clip", "frames"), "5");
  EXPECT_EQ(document.get("clip", "height"), "64");
  EXPECT_EQ(document.get("experiment", "name"), "a");
  EXPECT_FALSE(document.get("experiment", "base"));
  EXPECT_NE(document.find("metric.psnr"), nullptr);
  EXPECT_EQ(document.file(), "x/a.ini");
}

TEST(Inheritance, AnExperimentIsCalledAsItsFileUnlessItSays) {
  const Files files{{{"x/w.ini", "[experiment]\nname = world\n"},
                     {"x/a.b.ini", "[experiment]\nbase = w.ini\n"},
                     {"x/c.ini", "[experiment]\nname = d\n"}}};
  EXPECT_EQ(files.read("x/a.b.ini").get("experiment", "name"), "a.b");
  EXPECT_EQ(files.read("x/c.ini").get("experiment", "name"), "d");
}

TEST(Inheritance, KeepsTheFileAndLineOfEveryValue) {
  const Files files{{{"w.ini", "[clip]\nframes = 5\n\nheight = 32\n"},
                     {"a.ini", "[experiment]\nbase = w.ini\n[clip]\nheight = 64\n"}}};
  const auto document = files.read("a.ini");

  EXPECT_EQ(document.find("clip")->origin, "w.ini:1");
  EXPECT_EQ(document.find("clip")->entries[0].origin, "w.ini:2");
  EXPECT_EQ(document.find("clip")->entries[1].origin, "a.ini:4");
}

TEST(Inheritance, AnotherTypeTakesNoKeysOfTheBase) {
  const Files files{
      {{"w.ini", "[sampler]\ntype = euler\naccumulate = bf16\n[memory]\ntype = grid\nsize = 3\n"},
       {"a.ini", "[experiment]\nbase = w.ini\n[sampler]\ntype = unipc\n[memory]\ntype = grid\n"}}};
  const auto document = files.read("a.ini");

  EXPECT_FALSE(document.get("sampler", "accumulate"));
  EXPECT_EQ(document.get("memory", "size"), "3");
}

TEST(Inheritance, NameAndQuestionAreAnExperimentsOwn) {
  const Files files{{{"w.ini", "[experiment]\nname = w\nquestion = why\nseeds = 0, 1\n"},
                     {"a.ini", "[experiment]\nbase = w.ini\n"}}};
  const auto document = files.read("a.ini");

  EXPECT_EQ(document.get("experiment", "name"), "a");  // its own file's
  EXPECT_FALSE(document.get("experiment", "question"));
  EXPECT_EQ(document.get("experiment", "seeds"), "0, 1");
}

TEST(Inheritance, FollowsBasesOfBasesRelativeToEachFile) {
  const Files files{{{"x/root.ini", "[clip]\nframes = 5\n"},
                     {"x/y/middle.ini", "[experiment]\nbase = ../root.ini\n[clip]\nheight = 8\n"},
                     {"a.ini", "[experiment]\nbase = x/y/middle.ini, x/root.ini\n"}}};
  EXPECT_EQ(files.read("a.ini").get("clip", "frames"), "5");
}

TEST(Inheritance, RefusesAMissingBaseWithTheLineThatAsksForIt) {
  const Files files{{{"x/a.ini", "# first\n[experiment]\nbase = gone.ini\n"}}};
  EXPECT_THAT(files.refusal("x/a.ini"), HasSubstr("x/a.ini:3: [experiment] base: x/gone.ini"));
  EXPECT_THAT(files.refusal("none.ini"), HasSubstr("none.ini: cannot be opened"));
}

TEST(Inheritance, RefusesACircle) {
  const Files files{
      {{"a.ini", "[experiment]\nbase = b.ini\n"}, {"b.ini", "[experiment]\nbase = a.ini\n"}}};
  EXPECT_THAT(files.refusal("a.ini"), HasSubstr("circle: a.ini -> b.ini -> a.ini"));
}

TEST(Inheritance, RefusesBasesThatDisagreeUnlessTheFileDecides) {
  Files files{{{"b.ini", "[clip]\nframes = 5\n"},
               {"c.ini", "[clip]\nframes = 9\n"},
               {"a.ini", "[experiment]\nbase = b.ini, c.ini\n"}}};
  const auto refusal = files.refusal("a.ini");
  EXPECT_THAT(refusal, HasSubstr("c.ini:2: clip.frames = 9"));
  EXPECT_THAT(refusal, HasSubstr("5 at b.ini:2"));

  files.texts["a.ini"] += "[clip]\nframes = 13\n";
  EXPECT_EQ(files.read("a.ini").get("clip", "frames"), "13");
}

}  // namespace
}  // namespace svi
