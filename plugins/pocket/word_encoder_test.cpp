#include "pocket/word_encoder.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace svi {
namespace {

const std::string kPrompt =
    "a red disc moving left over three bands, layout 5: top green, middle blue, bottom yellow";

TEST(PocketTextEncoder, GivesTokensThenZeros) {
  const PocketTextEncoder encoder({});

  const auto tokens = encoder.encode({kPrompt, ""});

  ASSERT_TRUE(tokens.sizes().equals({2, 24, 64}));
  const auto power = tokens.square().mean(2);  // [B, L]
  EXPECT_TRUE((power[0].slice(0, 0, 16) > 0.3).all().item<bool>());
  EXPECT_NEAR(power[0].slice(0, 0, 16).mean().item<double>(), 1.0, 0.15);
  EXPECT_EQ(power[0].slice(0, 16).sum().item<double>(), 0);
  EXPECT_EQ(power[1].sum().item<double>(), 0);
}

TEST(PocketTextEncoder, KnowsTheOrderOfWords) {
  const PocketTextEncoder encoder({});

  const auto tokens = encoder.encode({"top green middle blue", "top blue middle green"});

  EXPECT_FALSE(at::allclose(tokens[0].sum(0), tokens[1]));
  EXPECT_TRUE(at::allclose(tokens[0][0], tokens[1][0]));
  // The same word differs between two places by the places' codes alone.
  EXPECT_TRUE(at::allclose(tokens[0][1] - tokens[1][1], tokens[1][3] - tokens[0][3], 1e-5, 1e-5));
}

TEST(PocketTextEncoder, TakesAnyTextAndCutsLongOnes) {
  const PocketTextEncoder encoder({.length = 3, .dim = 16});

  const auto tokens = encoder.encode({"Une forêt, 森の中 – \xff\xfe!", "one two three four five"});

  EXPECT_TRUE(tokens.isfinite().all().item<bool>());
  EXPECT_TRUE(at::equal(tokens[1], encoder.encode({"ONE, two; three"})[0]));
}

TEST(PocketTextEncoder, TellsHowMuchOfATextItReads) {
  EXPECT_EQ(pocket_read_bytes("a red, red car!", 4), 15u);
  EXPECT_EQ(pocket_read_bytes("a red, red car!", 3), 11u);
  EXPECT_EQ(pocket_read_bytes("a red, red car!", 1), 2u);
  EXPECT_EQ(pocket_read_bytes("  ", 1), 2u);
  EXPECT_EQ(pocket_read_bytes("", 1), 0u);
}

TEST(PocketTextEncoder, IsTheSameInEveryRun) {
  const auto first = PocketTextEncoder({}).encode({kPrompt});
  const auto second = PocketTextEncoder({}).encode({kPrompt});

  EXPECT_TRUE(at::equal(first, second));
}

}  // namespace
}  // namespace svi
