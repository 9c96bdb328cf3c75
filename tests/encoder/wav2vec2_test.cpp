#include "svi/encoder/wav2vec2.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "encoder/fixture.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using testing::EncoderFixture;
using ::testing::HasSubstr;
using testing::relative_error;

Wav2Vec2 wav2vec2_of(const EncoderFixture& fixture, std::int64_t position_kernel) {
  Wav2Vec2Config config;
  config.conv_dim = {16, 16, 20};
  config.conv_kernel = {10, 3, 2};
  config.conv_stride = {5, 2, 2};
  config.dim = 24;
  config.ffn_dim = 40;
  config.heads = 4;
  config.layers = 3;
  config.position_kernel = position_kernel;
  config.position_groups = 4;
  Wav2Vec2 encoder(config);
  encoder.adopt(fixture.weights());
  return encoder;
}

TEST(Wav2Vec2, EqualsTheStatesOfTransformers) {
  const EncoderFixture fixture("wav2vec2_plain");
  const auto states = wav2vec2_of(fixture, 16).encode(fixture("input.samples"));
  ASSERT_EQ(states.sizes(), fixture("output.states").sizes());
  EXPECT_LE(relative_error(states, fixture("output.states")), 1e-4);
}

TEST(Wav2Vec2, StretchesFeaturesToTheFramesOfAFilm) {
  const EncoderFixture fixture("wav2vec2_stretched");
  const auto states = wav2vec2_of(fixture, 7).encode(fixture("input.samples"), 19);
  ASSERT_EQ(states.sizes(), fixture("output.states").sizes());
  EXPECT_LE(relative_error(states, fixture("output.states")), 1e-4);
}

TEST(Wav2Vec2, TakesTheNamesOfOlderFilesAndOfPretraining) {
  const EncoderFixture fixture("wav2vec2_plain");
  const auto expected = wav2vec2_of(fixture, 16);
  NamedTensors older{{"quantizer.codevectors", at::zeros({1})}};
  for (auto [name, tensor] : fixture.weights()) {
    const std::string newer = "parametrizations.weight.original";
    if (const auto at = name.find(newer); at != std::string::npos)
      name = name.substr(0, at) + (name.back() == '0' ? "weight_g" : "weight_v");
    older.emplace_back("wav2vec2." + name, tensor);
  }
  Wav2Vec2 encoder(expected.config());
  encoder.adopt(older);
  EXPECT_TRUE(at::equal(encoder.encode(fixture("input.samples")),
                        expected.encode(fixture("input.samples"))));
}

TEST(Wav2Vec2, NamesMayStandInNestsAndBehindWrappersButOnlyOnce) {
  const EncoderFixture fixture("wav2vec2_plain");
  const auto expected = wav2vec2_of(fixture, 16);
  NamedTensors nested;
  for (const auto& [name, tensor] : fixture.weights())
    nested.emplace_back("state_dict.module.wav2vec2._orig_mod." + name, tensor);
  Wav2Vec2 encoder(expected.config());
  encoder.adopt(nested);
  EXPECT_TRUE(at::equal(encoder.encode(fixture("input.samples")),
                        expected.encode(fixture("input.samples"))));
  auto twice = fixture.weights();
  twice.emplace_back("wav2vec2." + twice[0].first, twice[0].second);
  Wav2Vec2 other(expected.config());
  try {
    other.adopt(twice);
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("wav2vec2." + twice[0].first + " and " + twice[0].first +
                                        " are the same tensor"));
  }
}

TEST(Wav2Vec2, SaysWhatIsWrong) {
  const EncoderFixture fixture("wav2vec2_plain");
  const auto encoder = wav2vec2_of(fixture, 16);
  try {
    encoder.encode(at::zeros({1, 5}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("at least 30 are needed"));
  }
  Wav2Vec2 other(encoder.config());
  EXPECT_THROW(other.adopt(testing::without(fixture.weights(), "encoder.layer_norm.bias")),
               IoError);
}

}  // namespace
}  // namespace svi
