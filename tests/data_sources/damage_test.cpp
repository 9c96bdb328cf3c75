#include "svi/data/damage.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "pocket/pocket_world.hpp"
#include "svi/core/check.hpp"
#include "svi/metric/psnr.hpp"

namespace svi {
namespace {

at::Tensor real_frame(std::int64_t scene, std::int64_t height = 32, std::int64_t width = 32) {
  return (PocketWorld({}).training_clip(0, scene, {1, height, width}).video.select(1, 0) + 1) / 2;
}

RandomKey key(std::uint32_t stream) { return {5, Purpose::damage, stream, 0}; }

TEST(Damage, OfEveryKindChangesThePictureAndIsAFunctionOfTheKey) {
  const auto frame = real_frame(0), other = real_frame(1);
  ASSERT_EQ(static_cast<std::int64_t>(enum_names(Damage{}).size()), kDamages);

  for (std::int64_t k = 0; k < kDamages; ++k) {
    const auto kind = static_cast<Damage>(k);
    const auto once = damaged(frame, kind, other, key(0));

    EXPECT_TRUE(once.sizes() == frame.sizes());
    EXPECT_TRUE(once.isfinite().all().item<bool>());
    EXPECT_LT(psnr(once, frame), 45) << enum_names(kind)[static_cast<std::size_t>(k)];
    EXPECT_TRUE(at::equal(once, damaged(frame, kind, other, key(0)))) << k;
    EXPECT_FALSE(at::equal(once, damaged(frame, kind, other, key(1)))) << k;
  }
}

TEST(Damage, WorksAtOtherSizes) {
  const auto frame = real_frame(0, 24, 56), other = real_frame(1, 24, 56);

  for (std::int64_t k = 0; k < kDamages; ++k) {
    for (std::uint32_t draw = 0; draw < 8; ++draw) {
      EXPECT_TRUE(damaged(frame, static_cast<Damage>(k), other, key(draw)).sizes() ==
                  frame.sizes());
    }
  }
  EXPECT_THROW(damaged(frame, Damage::noise, real_frame(1), key(0)), Error);
}

TEST(Damage, AtRandomHasTheStrengthThatIsDrawn) {
  const auto frame = real_frame(2), other = real_frame(3);
  const DamageConfig config{
      .clean_probability = 0, .most_kinds = 1, .weakest = 30.001, .strongest = 30};

  // Kinds that add can have any strength; at 30 dB hardly a pixel is clamped.
  for (const auto kind : {Damage::noise, Damage::coloured_noise, Damage::blocks, Damage::stains,
                          Damage::tint, Damage::light}) {
    EXPECT_NEAR(psnr(damage_at_random(config, frame, kind, other, key(4)), frame), 30, 0.5);
  }
}

TEST(Damage, AtRandomShowsEveryKindCombinationsAndCleanFrames) {
  const auto frame = real_frame(4), other = real_frame(5);
  const DamageConfig config{.clean_probability = 0.2};
  std::set<Damage> seen;
  int clean = 0;
  std::array<int, 6> strengths{};  // 10 .. 40 dB by fives
  constexpr int kDraws = 600;

  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const auto made = damage_at_random(config, frame, other, key(i));
    seen.insert(made.kinds.begin(), made.kinds.end());
    EXPECT_EQ(std::set<Damage>(made.kinds.begin(), made.kinds.end()).size(), made.kinds.size());
    EXPECT_LE(made.kinds.size(), 3u);
    EXPECT_GE(made.frame.min().item<float>(), 0);
    EXPECT_LE(made.frame.max().item<float>(), 1);
    if (made.kinds.empty()) {
      ++clean;
      EXPECT_TRUE(at::equal(made.frame, frame));
      continue;
    }
    const double left = psnr(made.frame, frame);
    if (left >= 10 && left < 40) ++strengths[static_cast<std::size_t>((left - 10) / 5)];
  }

  EXPECT_EQ(static_cast<std::int64_t>(seen.size()), kDamages);
  EXPECT_NEAR(clean, 0.2 * kDraws, 35);  // 3.5 standard deviations
  for (const int count : strengths) EXPECT_GT(count, kDraws / 20);
}

TEST(DamageConfig, RefusesStrengthsInTheWrongOrder) {
  EXPECT_NE((DamageConfig{.weakest = 10, .strongest = 20}).problem(), "");
  EXPECT_EQ(DamageConfig{}.problem(), "");
}

}  // namespace
}  // namespace svi
