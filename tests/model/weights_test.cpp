#include "svi/model/weights.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(LoadStrict, CopiesAndConvertsWhatFits) {
  const NamedTensors model = {{"a", at::zeros({2, 3})}, {"b", at::zeros({4})}};
  const NamedTensors weights = {{"b", at::arange(4)}, {"a", at::ones({2, 3}, at::kBFloat16)}};

  const auto report = load_strict(model, weights, "file");

  EXPECT_TRUE(report.complete());
  EXPECT_THAT(report.loaded, ElementsAre("a", "b"));
  EXPECT_TRUE(at::equal(model[0].second, at::ones({2, 3})));
  EXPECT_TRUE(at::equal(model[1].second, at::arange(4).to(at::kFloat)));
}

TEST(LoadStrict, RefusesWithEveryNameAndCopiesNothing) {
  const NamedTensors model = {{"a", at::zeros({2})}, {"b", at::zeros({4})}, {"c", at::zeros({1})}};
  const NamedTensors weights = {{"a", at::ones({2})}, {"b", at::ones({5})}, {"d", at::ones({1})}};

  try {
    load_strict(model, weights, "weights.safetensors");
    FAIL() << "expected an IoError";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("weights.safetensors"));
    EXPECT_THAT(error.what(), HasSubstr("b: model [4], weights [5]"));
    EXPECT_THAT(error.what(), HasSubstr("missing (1):\n    c"));
    EXPECT_THAT(error.what(), HasSubstr("unexpected (1):\n    d"));
  }
  EXPECT_EQ(model[0].second.sum().item<float>(), 0);
}

TEST(LoadStrict, KeepsWhatIsMissingOnlyIfAllowed) {
  const NamedTensors model = {{"a", at::full({2}, 7)}, {"b", at::zeros({1})}};
  const NamedTensors weights = {{"b", at::ones({1})}};

  EXPECT_THROW(load_strict(model, weights, "file"), IoError);
  const auto report = load_strict(model, weights, "file", true);

  EXPECT_THAT(report.missing, ElementsAre("a"));
  EXPECT_THAT(report.unexpected, IsEmpty());
  EXPECT_EQ(model[0].second[0].item<float>(), 7);
}

}  // namespace
}  // namespace svi
