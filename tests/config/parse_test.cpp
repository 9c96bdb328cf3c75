#include "svi/config/parse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/config/describe.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Colour { red, green };
std::vector<std::string> enum_names(Colour) { return {"red", "green"}; }

struct Sample {
  bool flag = false;
  std::int64_t count = 3;
  double rate = 0.5;
  std::string name = "x";
  Colour colour = Colour::green;
  std::vector<double> values = {1, 2.5};

  void describe(OptionVisitor& visit) {
    visit(flag, {.key = "flag", .help = "a switch"});
    visit(count, {.key = "count", .help = "how many", .unit = "clips", .min = 1, .max = 10});
    visit(rate, {.key = "rate", .help = "how fast", .min = 0});
    visit(name, {.key = "name", .help = "a text"});
    visit(colour, {.key = "colour", .help = "a choice"});
    visit(values, {.key = "values", .help = "a list"});
  }
  std::string problem() const { return count == 7 ? "count must not be 7" : ""; }
};

Sample parse(const std::string& body) {
  return parse_config<Sample>(Document::parse("[sample]\n" + body, "x.ini"), "sample");
}

std::string refusal(const std::string& body) {
  try {
    parse(body);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseConfig, FillsWhatIsGivenAndKeepsDefaults) {
  const auto sample = parse("flag = yes\ncount = 5\ncolour = red\nvalues = 1e-3, 2\n");

  EXPECT_TRUE(sample.flag);
  EXPECT_EQ(sample.count, 5);
  EXPECT_EQ(sample.rate, 0.5);
  EXPECT_EQ(sample.colour, Colour::red);
  EXPECT_THAT(sample.values, ElementsAre(1e-3, 2.0));
}

TEST(ParseConfig, NamesFileLineKeyValueAndRemedy) {
  EXPECT_THAT(refusal("flag = on\ncuont = 5\n"), HasSubstr("x.ini:3: [sample] has no key 'cuont'"));
  EXPECT_THAT(refusal("cuont = 5\n"), HasSubstr("did you mean 'count'?"));
  EXPECT_THAT(refusal("count = many\n"),
              HasSubstr("x.ini:2: [sample] count = many is not a whole number"));
  EXPECT_THAT(refusal("count = 3.5\n"), HasSubstr("whole number"));
  EXPECT_THAT(refusal("count = 11\n"), HasSubstr("in the range 1 to 10"));
  EXPECT_THAT(refusal("rate = -1\n"), HasSubstr("at least 0"));
  EXPECT_THAT(refusal("rate = nan\n"), HasSubstr("at least 0"));
  EXPECT_THAT(refusal("colour = rad\n"), HasSubstr("did you mean 'red'?"));
  EXPECT_THAT(refusal("flag = maybe\n"), HasSubstr("true or false"));
  EXPECT_THAT(refusal("count = 7\n"), HasSubstr("count must not be 7"));
}

TEST(Describe, ResolvedSectionReadsBackToTheSameConfig) {
  auto sample = parse("rate = 0.1\nvalues = 3.25\n");
  Document resolved;
  resolve_into(resolved, "sample", [&](OptionVisitor& visit) { sample.describe(visit); });

  const auto again =
      parse_config<Sample>(Document::parse(resolved.text(), "resolved.ini"), "sample");

  EXPECT_EQ(again.rate, 0.1);
  EXPECT_THAT(again.values, ElementsAre(3.25));
  EXPECT_EQ(again.colour, Colour::green);
}

TEST(NearestName, FindsATypoAndNothingElse) {
  EXPECT_EQ(nearest_name("bernouli", {"bernoulli", "scheduled"}), "bernoulli");
  EXPECT_EQ(nearest_name("zzz", {"bernoulli", "scheduled"}), "");
}

}  // namespace
}  // namespace svi
