#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/experiment/overrides.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/method/chain.hpp"

namespace svi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kText = R"([experiment]
name = study

[training]
steps = 10

[memory]
type = time_grid
capacity = 7

[size.full]
training.steps = 1000
arm.erft.memory.capacity = 70

[size.huge]
experiment.name = my_study
training.steps = 2000

[arm.base]
training.steps = 0

[arm.erft]
label = ERFT
)";

struct Plain {
  static void set(ChainOptions&) {}
};

Document study() { return Document::parse(kText, "study.ini"); }

template <class Action>
std::string refusal(const Action& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Sizes, AreNamedInTheirOrder) { EXPECT_THAT(size_names(study()), ElementsAre("full", "huge")); }

TEST(Sizes, ChangeBaseAndArmsAndAreRecorded) {
  const auto sized = apply_size(study(), "full");

  EXPECT_EQ(sized.get("training", "steps"), "1000");
  EXPECT_EQ(sized.get("arm.erft", "memory.capacity"), "70");
  EXPECT_EQ(sized.get("arm.base", "training.steps"), "0");  // an arm's own line wins
  EXPECT_EQ(sized.get("experiment", "size"), "full");
  EXPECT_EQ(sized.get("experiment", "name"), "study_full");
  EXPECT_TRUE(size_names(sized).empty());
}

TEST(Sizes, KeepTheNameTheyGive) {
  EXPECT_EQ(apply_size(study(), "huge").get("experiment", "name"), "my_study");
}

TEST(Sizes, ForgetTheOptionsOfAnotherType) {
  auto document = study();
  document.set("size.full", "error_source.type", "none", "x.ini:1");
  document.set("error_source", "definition", "clean", "x.ini:2");

  EXPECT_EQ(apply_size(document, "full").get("error_source", "definition"), std::nullopt);
}

TEST(Sizes, ThatAreNotThereAreAnsweredWithThoseThatAre) {
  EXPECT_THAT(refusal([] { apply_size(study(), "ful"); }),
              HasSubstr("study.ini: there is no [size.ful]; sizes of this file: full, huge"));
  EXPECT_THAT(refusal([] { apply_size(apply_size(study(), "full"), "full"); }),
              HasSubstr("sizes of this file: none"));
}

TEST(Sizes, AreCheckedBeforeAnyoneAsksForThem) {
  auto document = study();
  document.set("size.huge", "training.slots", "many", "study.ini:17");
  Registry registry;
  register_builtins(registry);
  Registrar(registry, "test").add<Method, ChainOf<Plain>>("naive_chain", "a chain");

  EXPECT_THAT(refusal([&] { Plan::make(document, registry); }),
              HasSubstr("study.ini:17 ([size.huge])"));
}

TEST(SetOption, ReachesTheBaseAndOneArm) {
  auto document = study();
  set_option(document, "training.steps", "20", "--set");
  set_option(document, "arm.erft.training.steps", "30", "--set");
  set_option(document, "arm.erft.metric.pocket.speed", "1", "--set");
  set_option(document, "arm.base.label", "chained", "--set");

  EXPECT_EQ(document.get("training", "steps"), "20");
  EXPECT_EQ(document.get("arm.erft", "training.steps"), "30");
  EXPECT_EQ(document.get("arm.erft", "metric.pocket.speed"), "1");
  EXPECT_EQ(document.get("arm.base", "label"), "chained");
}

TEST(SetOption, NamesArmsWhereThereIsNone) {
  auto document = study();
  const auto set = [&](const std::string& path) {
    return refusal([&] { set_option(document, path, "1", "--set " + path); });
  };

  EXPECT_THAT(set("arm.efrt.training.steps"), HasSubstr("no [arm.efrt]; arms: base, erft"));
  EXPECT_THAT(set("arm.erft.steps"), HasSubstr("neither arm.NAME.section.key nor arm.NAME.label"));
  EXPECT_THAT(set("arm.erft"), HasSubstr("neither"));
  EXPECT_THAT(set("size.full.training.steps"), HasSubstr("--size NAME"));
  EXPECT_THAT(set("steps"), HasSubstr("no section.key"));
}

}  // namespace
}  // namespace svi
