#include "svi/model/wan/condition.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

class ConditionTest : public testing::Test {
 protected:
  WanVae vae = test::tiny_vae();
  ConditionBuilder builder{vae};
  at::Tensor motion = normal({1, Purpose::test, 0, 0}, {1, 3, 5, 16, 24}).clamp(-1, 1);
  at::Tensor anchor = normal({1, Purpose::test, 1, 0}, {1, 3, 16, 24}).clamp(-1, 1);
};

TEST_F(ConditionTest, MaskMarksLatentFrameZeroAloneByDefault) {
  const auto mask = builder.mask(1, 81, 60, 104);  // [4, 21, 60, 104]

  ASSERT_EQ(mask.sizes(), (std::vector<std::int64_t>{4, 21, 60, 104}));
  EXPECT_TRUE(mask.select(1, 0).eq(1).all().item<bool>());
  EXPECT_TRUE(mask.narrow(1, 1, 20).eq(0).all().item<bool>());
}

TEST_F(ConditionTest, MaskOfFiveKnownFramesMarksLatentFramesZeroAndOne) {
  const auto mask = builder.mask(5, 81, 2, 2);

  EXPECT_TRUE(mask.narrow(1, 0, 2).eq(1).all().item<bool>());
  EXPECT_TRUE(mask.narrow(1, 2, 19).eq(0).all().item<bool>());
}

TEST_F(ConditionTest, FiveMotionFramesMarkOneLatentFrameUnlessAskedOtherwise) {
  const auto usual = builder.build(motion, anchor, 17, {});
  const auto all = builder.build(motion, anchor, 17, {.mask_all_motion = true});

  EXPECT_EQ(usual.sizes(), (std::vector<std::int64_t>{1, 4 + 2, 5, 4, 6}));
  EXPECT_EQ(usual.narrow(1, 0, 4).sum().item<double>(), 4 * 1 * 4 * 6);
  EXPECT_EQ(all.narrow(1, 0, 4).sum().item<double>(), 4 * 2 * 4 * 6);
  EXPECT_TRUE(at::equal(usual.narrow(1, 4, 2), all.narrow(1, 4, 2)));
}

TEST_F(ConditionTest, PaddingIsGreyPixelsOrTheAnchorEncodedWithTheRest) {
  const auto first = motion.narrow(2, 0, 1);
  const auto grey = at::cat({first, at::zeros({1, 3, 16, 16, 24})}, 2);
  const auto anchored = at::cat({first, anchor.unsqueeze(2).expand({-1, -1, 16, -1, -1})}, 2);
  const auto two = at::cat(
      {first, anchor.unsqueeze(2).expand({-1, -1, 2, -1, -1}), at::zeros({1, 3, 14, 16, 24})}, 2);

  EXPECT_TRUE(at::equal(builder.build(first, {}, 17, {}).narrow(1, 4, 2), vae.encode(grey)));
  EXPECT_TRUE(at::equal(builder.build(first, anchor, 17, {.anchor_copies = -1}).narrow(1, 4, 2),
                        vae.encode(anchored)));
  EXPECT_TRUE(at::equal(builder.build(first, anchor, 17, {.anchor_copies = 2}).narrow(1, 4, 2),
                        vae.encode(two)));
}

TEST_F(ConditionTest, LatentHandOverPutsTheGivenLatentsFirst) {
  const auto latent = normal({1, Purpose::test, 2, 0}, {1, 2, 2, 4, 6});

  const auto y = builder.build_from_latent(latent, anchor, 17, 5, {});

  EXPECT_TRUE(at::equal(y.narrow(1, 4, 2).narrow(2, 0, 2), latent));
}

TEST_F(ConditionTest, BehindAnAnchorStandMotionLatentsThenZeros) {
  const ConditionRule rule{.layout = ConditionLayout::anchor_first};
  const auto y = builder.build(motion, anchor, 17, rule);  // [1, 4 + 2, 5, 4, 6]

  EXPECT_TRUE(at::equal(y.narrow(1, 4, 2).narrow(2, 0, 1), vae.encode(anchor.unsqueeze(2))));
  EXPECT_TRUE(at::equal(y.narrow(1, 4, 2).narrow(2, 1, 1), vae.encode(motion).narrow(2, 1, 1)));
  EXPECT_EQ(y.narrow(1, 4, 2).narrow(2, 2, 3).abs().max().item<float>(), 0);
  EXPECT_EQ(y.narrow(1, 0, 4).sum().item<double>(), 4 * 1 * 4 * 6);  // the anchor alone is marked

  const auto latent = normal({1, Purpose::test, 2, 0}, {1, 2, 1, 4, 6});
  const auto handed = builder.build_from_latent(latent, anchor, 17, 5, rule);
  EXPECT_TRUE(at::equal(handed.narrow(1, 4, 2).narrow(2, 1, 1), latent));
  EXPECT_TRUE(at::equal(handed.narrow(2, 0, 1), y.narrow(2, 0, 1)));

  const auto first = builder.build(anchor.unsqueeze(2), anchor, 17, rule);
  EXPECT_EQ(first.narrow(1, 4, 2).narrow(2, 1, 4).abs().max().item<float>(), 0);
}

TEST_F(ConditionTest, ZeroLatentsStandForGreyFramesAlone) {
  const auto grey = builder.build(motion, anchor, 17, {}).narrow(1, 4, 2);
  const auto zero = builder.build(motion, anchor, 17, {.zero_latents = true}).narrow(1, 4, 2);
  EXPECT_TRUE(at::equal(zero.narrow(2, 0, 2), grey.narrow(2, 0, 2)));  // five frames: two latents
  EXPECT_EQ(zero.narrow(2, 2, 3).abs().max().item<float>(), 0);
  EXPECT_GT(grey.narrow(2, 2, 3).abs().max().item<float>(), 0);
  const auto some =
      builder.build(motion, anchor, 17, {.anchor_copies = 2, .zero_latents = true}).narrow(1, 4, 2);
  EXPECT_EQ(some.narrow(2, 3, 2).abs().max().item<float>(), 0);
  EXPECT_GT(some.narrow(2, 2, 1).abs().max().item<float>(), 0);
}

TEST_F(ConditionTest, RefusesAnIllegalFrameCountAndNamesTheNearest) {
  try {
    builder.build(motion, anchor, 18, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("17"));
  }
}

}  // namespace
}  // namespace svi
