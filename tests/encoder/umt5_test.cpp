#include "svi/encoder/umt5.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encoder/fixture.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using testing::EncoderFixture;
using ::testing::HasSubstr;
using testing::relative_error;

Umt5Encoder encoder_of(const EncoderFixture& fixture) {
  Umt5Encoder encoder(Umt5Encoder::infer(fixture.weights()));
  encoder.adopt(fixture.weights());
  return encoder;
}

class Umt5Oracle : public ::testing::TestWithParam<const char*> {};

TEST_P(Umt5Oracle, EqualsTransformersWithRandomWeights) {
  const EncoderFixture fixture(GetParam());
  const auto context = encoder_of(fixture).encode(fixture("input.ids"), fixture("input.lengths"));
  EXPECT_LE(relative_error(context, fixture("output.context")), 1e-4);
}

TEST_P(Umt5Oracle, InBfloat16StaysCloseAndKeepsTheLengths) {
  const EncoderFixture fixture(GetParam());
  auto encoder = encoder_of(fixture);
  encoder.compute(at::kCPU, at::kBFloat16);
  const auto context = encoder.encode(fixture("input.ids"), fixture("input.lengths"));
  EXPECT_EQ(context.scalar_type(), at::kBFloat16);
  const auto expected = fixture("output.context");
  EXPECT_LE((context.to(at::kFloat) - expected).norm().item<double>(),
            2e-2 * expected.norm().item<double>());
}

INSTANTIATE_TEST_SUITE_P(Sizes, Umt5Oracle,
                         ::testing::Values("umt5_small", "umt5_long", "umt5_one"));

TEST(Umt5, ATextDoesNotDependOnItsNeighboursOrItsPadding) {
  const EncoderFixture fixture("umt5_small");
  const auto encoder = encoder_of(fixture);
  const auto ids = fixture("input.ids"), lengths = fixture("input.lengths");
  const auto both = encoder.encode(ids, lengths);
  const auto alone = encoder.encode(ids.slice(0, 1, 2).slice(1, 0, 3), lengths.slice(0, 1, 2));
  EXPECT_LE(relative_error(alone[0], both[1].slice(0, 0, 3)), 1e-5);
  EXPECT_EQ(both[1].slice(0, 3).abs().max().item<double>(), 0);
  EXPECT_TRUE(at::equal(both, encoder.encode(ids, lengths)));
}

TEST(Umt5, BucketsAreThePublishedOnes) {
  const std::pair<std::int64_t, std::int64_t> kBuckets[] = {
      {-20, 10}, {-8, 8},  {0, 0},    {1, 17},   {8, 24},   {16, 26},
      {64, 30},  {91, 31}, {-91, 15}, {500, 31}, {-500, 15}};
  for (const auto& [relative, bucket] : kBuckets)
    EXPECT_EQ(umt5_bucket(relative, 32, 128), bucket) << relative;
}

TEST(Umt5, SaysWhatIsWrong) {
  const EncoderFixture fixture("umt5_small");
  const auto encoder = encoder_of(fixture);
  const auto lengths = fixture("input.lengths");
  const auto error = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const Error& problem) {
      return problem.what();
    }
    return "accepted";
  };
  EXPECT_THAT(error([&] { encoder.encode(fixture("input.ids") + 50, lengths); }),
              HasSubstr("outside the vocabulary of 50"));
  EXPECT_THAT(error([&] { encoder.encode(fixture("input.ids"), lengths - 3); }),
              HasSubstr("lengths must lie in 1 .. 9"));
  EXPECT_THAT(error([&] { Umt5Encoder(encoder.config()).encode(fixture("input.ids"), lengths); }),
              HasSubstr("no weights yet"));
  Umt5Encoder other(encoder.config());
  const auto fewer = testing::without(fixture.weights(), "blocks.1.attn.k.weight");
  EXPECT_THAT(error([&] { other.adopt(fewer, "t5.pth"); }), HasSubstr("blocks.1.attn.k.weight"));
  EXPECT_THAT(error([&] { Umt5Encoder::infer({}); }),
              HasSubstr("token_embedding.weight is missing"));
}

}  // namespace
}  // namespace svi
