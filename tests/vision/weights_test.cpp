#include "vision/weights.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/hashed_weights.hpp"
#include "svi/core/check.hpp"
#include "vision/layers.hpp"

namespace svi::vision {
namespace {

using ::testing::HasSubstr;

Weights two_tensors() {
  return {{{"a.weight", at::ones({2, 3}, at::kHalf)}, {"a.bias", at::ones({2}, at::kHalf)}},
          "file.pth"};
}

template <class Body>
std::string complaint(const Body& body) {
  try {
    body();
  } catch (const IoError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(VisionWeights, AreTakenOnceAsFp32) {
  auto weights = two_tensors();
  EXPECT_EQ(weights.take("a.weight", {2, 3}).scalar_type(), at::kFloat);
  EXPECT_THAT(complaint([&] {
                weights.take("a.weight", {2, 3});
              }),
              HasSubstr("file.pth: a.weight is missing"));
}

TEST(VisionWeights, NameWhatIsOfAnotherSizeOrLeft) {
  auto weights = two_tensors();
  EXPECT_THAT(complaint([&] {
                weights.take("a.weight", {3, 2});
              }),
              HasSubstr("file.pth: a.weight is [2, 3] instead of [3, 2]"));
  weights.take("a.weight");
  EXPECT_THAT(complaint([&] { weights.finish(); }),
              HasSubstr("1 tensors have no place in the network: a.bias"));
  weights.rename([](const std::string&) { return ""; });
  weights.finish();
}

TEST(VisionLayers, FoldABatchNormIntoTheConvolutionBeforeIt) {
  Weights weights(testing::hashed_weights({{"c.weight", {4, 3, 3, 3}},
                                           {"c.bias", {4}},
                                           {"n.weight", {4}},
                                           {"n.bias", {4}},
                                           {"n.running_mean", {4}},
                                           {"n.running_var", {4}}}),
                  "here");
  const Conv conv(weights, "c", 3, 4, {.kernel = {3, 3}, .padding = {1}});
  const BatchNorm norm(weights, "n", 4);
  weights.finish();
  const auto x = testing::hashed("x", {2, 3, 5, 6});
  EXPECT_LT((folded(conv, norm)(x) - norm(conv(x))).abs().max().item<float>(), 1e-6);
}

}  // namespace
}  // namespace svi::vision
