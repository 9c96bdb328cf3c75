#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/model/condition.hpp"

namespace svi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Condition two_rows() {
  return {{"text", at::arange(6, at::kFloat).view({2, 3})}, {"pose", at::ones({2, 1})}};
}

TEST(Condition, LeavesUndefinedPartsOut) {
  Condition condition{{part::kText, at::ones({1})}, {part::kClip, at::Tensor()}};
  EXPECT_THAT(condition.names(), ElementsAre("text"));
  EXPECT_FALSE(condition[part::kClip].defined());

  condition.set(part::kText, {});
  EXPECT_TRUE(condition.empty());
}

TEST(Condition, RefusesAPartGivenTwice) {
  EXPECT_THAT(message_of([] {
                Condition{{"text", at::ones({1})}, {"text", at::ones({1})}};
              }),
              HasSubstr("text is given twice"));
}

TEST(Condition, SelectsRowsOfEveryPart) {
  const auto chosen = two_rows().rows(at::tensor({1, 1, 0}));

  EXPECT_TRUE(at::equal(chosen["text"][0], at::tensor({3.F, 4.F, 5.F})));
  EXPECT_TRUE(at::equal(chosen["text"][2], at::tensor({0.F, 1.F, 2.F})));
  EXPECT_EQ(chosen["pose"].size(0), 3);
}

TEST(Condition, JoinsAlongTheBatch) {
  const auto joined = Condition::join({two_rows(), two_rows()});
  EXPECT_EQ(joined["text"].size(0), 4);
  EXPECT_TRUE(at::equal(joined["text"].narrow(0, 2, 2), two_rows()["text"]));
}

TEST(Condition, RefusesToJoinOtherPartsOrShapes) {
  auto fewer = two_rows(), wider = two_rows();
  fewer.set("pose", {});
  wider.set("text", at::ones({2, 4}));
  const auto join = [](const Condition& a, const Condition& b) {
    return message_of([&] { Condition::join({a, b}); });
  };

  EXPECT_THAT(join(two_rows(), fewer), HasSubstr("condition.pose is in one pass only"));
  EXPECT_THAT(join(fewer, two_rows()), HasSubstr("condition.pose is in one pass only"));
  EXPECT_THAT(join(two_rows(), wider), HasSubstr("condition.text is [2, 3]"));
}

TEST(Condition, ZeroesOneRowOfOnePartInPlace) {
  auto condition = two_rows();
  condition.zero_row("text", 1);
  condition.zero_row("absent", 1);

  EXPECT_TRUE(at::equal(condition["text"][1], at::zeros({3})));
  EXPECT_TRUE(at::equal(condition["text"][0], at::tensor({0.F, 1.F, 2.F})));
  EXPECT_TRUE(at::equal(condition["pose"], at::ones({2, 1})));
}

TEST(Condition, NamesThePartThatAModelDoesNotKnow) {
  two_rows().require_known({"text", "pose"});
  const auto message = message_of([] { two_rows().require_known({"text", "image"}); });
  EXPECT_THAT(message, HasSubstr("does not read the condition part 'pose'"));
  EXPECT_THAT(message, HasSubstr("text, image"));
}

TEST(Condition, IsTheSameOnlyWithTheSameTensors) {
  const auto condition = two_rows(), copy = condition;
  EXPECT_TRUE(copy.same(condition));
  EXPECT_FALSE(condition.clone().same(condition));
}

}  // namespace
}  // namespace svi
