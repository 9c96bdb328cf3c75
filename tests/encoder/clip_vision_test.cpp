#include "svi/encoder/clip_vision.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encoder/fixture.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using testing::EncoderFixture;
using ::testing::HasSubstr;
using testing::relative_error;

ClipVision tower_of(const EncoderFixture& fixture) {
  ClipVision tower(
      ClipVision::infer(fixture.weights(), fixture("input.heads").item<std::int64_t>()));
  tower.adopt(fixture.weights());
  return tower;
}

class ClipOracle : public ::testing::TestWithParam<const char*> {};

TEST_P(ClipOracle, EqualsTheSecondToLastStateOfTransformers) {
  const EncoderFixture fixture(GetParam());
  const auto tokens = tower_of(fixture).encode(fixture("input.frames"));
  EXPECT_LE(relative_error(tokens, fixture("output.tokens")), 1e-4);
}

TEST_P(ClipOracle, InBfloat16StaysClose) {
  const EncoderFixture fixture(GetParam());
  auto tower = tower_of(fixture);
  tower.compute(at::kCPU, at::kBFloat16);
  EXPECT_LE(relative_error(tower.encode(fixture("input.frames")), fixture("output.tokens")), 2e-2);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ClipOracle, ::testing::Values("clip_small", "clip_odd"));

TEST(ClipVision, DefaultsAreThoseOfWan) {
  const ClipVision tower(ClipVisionConfig{});
  std::int64_t values = 0;
  for (const auto& [name, weight] : tower.parameters()) values += weight.numel();
  EXPECT_EQ(values, 632076800);
  EXPECT_EQ(tower.config().tokens(), 257);
}

TEST(ClipVision, SaysWhatIsWrong) {
  const EncoderFixture fixture("clip_small");
  auto tower = tower_of(fixture);
  const auto error = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const Error& problem) {
      return problem.what();
    }
    return "accepted";
  };
  EXPECT_THAT(error([&] { tower.encode(at::zeros({1, 4, 8, 8})); }), HasSubstr("[B, 3, H, W]"));
  const auto fewer = testing::without(fixture.weights(), "visual.pre_norm.bias");
  EXPECT_THAT(error([&] { tower.adopt(fewer, "clip.pth"); }), HasSubstr("visual.pre_norm.bias"));
  EXPECT_THAT(error([&] { ClipVision::infer({}); }), HasSubstr("is missing"));
}

}  // namespace
}  // namespace svi
