#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "method/told_clips.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

std::unique_ptr<Method> shot(const std::string& options = {}) {
  Registry registry;
  load_plugin(PLUGIN_FILE, registry);
  return registry.make<Method>(Document::parse("[method]\n" + options, "test.ini"), "svi_shot");
}

TEST(SviShot, IsAChainOfOneMotionFrameWithTheImageAsAnchor) {
  const auto made = shot();
  const auto plan = made->chain()->plan(7);

  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.condition.anchor_copies, -1);
  EXPECT_FALSE(plan.condition.mask_all_motion);
  EXPECT_FALSE(plan.repeat_first);
  EXPECT_EQ(plan.clip_image, ClipImage::first);
  EXPECT_EQ(made->prompt_of(7, 10), 0);
  EXPECT_EQ(made->frames({81, 480, 832}, 10), 801);
}

TEST(SviShot, EveryClipIsToldItsLastFrameAndTheUsersImage) {
  const auto image = test::told_image();
  const auto clips = test::told_clips(*shot(), 3);

  const auto still = image.unsqueeze(2).expand({-1, -1, test::kToldFrames, -1, -1});
  EXPECT_TRUE(at::equal(clips[0].y, test::y_of(still)));
  for (std::size_t i = 1; i < clips.size(); ++i) {
    EXPECT_TRUE(at::equal(clips[i].y, test::y_of(test::continued(clips[i - 1], 1, image)))) << i;
    EXPECT_TRUE(at::equal(clips[i].seen, clips[i - 1].video.select(2, test::kToldFrames - 1)));
    EXPECT_EQ(clips[i].prompt, "one");
  }
}

TEST(SviShot, TheImageBranchSeesWhatItsOptionSays) {
  constexpr std::int64_t m = 3, T = test::kToldFrames;
  const auto image = test::told_image();
  const auto seen = [&](const std::string& choice) {
    return test::told_clips(*shot("motion_frames = 3\nclip_image = " + choice + "\n"), 2);
  };
  const auto first = seen("first"), anchor = seen("anchor"), last = seen("last");

  EXPECT_TRUE(at::equal(first[1].seen, first[0].video.select(2, T - m)));
  EXPECT_TRUE(at::equal(anchor[1].seen, image));
  EXPECT_TRUE(at::equal(last[1].seen, last[0].video.select(2, T - 1)));
  for (const auto* clips : {&first, &anchor, &last}) {
    EXPECT_TRUE(at::equal((*clips)[0].seen, image));
    EXPECT_TRUE(at::equal((*clips)[1].y, first[1].y));  // it changes nothing else
  }
  EXPECT_THROW(shot("clip_image = middle\n"), ConfigError);
}

/// The settings of plugins/svi_shot/svi_pro.ini, and of its arm `shot`.
constexpr const char* kPro =
    "motion_frames = 5\nprompts = stream\nstitch = drop_head\nlayout = anchor_first\n"
    "handover = latent\n";
constexpr const char* kTwo = "prompts = stream\nstitch = drop_head\n";

TEST(SviPro, ClipsAreToldTheAnchorTheLastLatentAndZeros) {
  const auto clips = test::told_clips(*shot(kPro), 4);
  const auto anchor = test::y_of(test::told_image().unsqueeze(2));  // [1, 6, 1, 4, 4]

  for (std::size_t i = 0; i < clips.size(); ++i) {
    auto expected = at::zeros_like(clips[i].y);  // [1, 6, 3, 4, 4]
    expected.narrow(2, 0, 1).copy_(anchor);
    if (i > 0) {
      const auto& before = clips[i - 1].latent;
      expected.narrow(1, 4, 2).narrow(2, 1, 1).copy_(before.narrow(2, before.size(2) - 1, 1));
    }
    EXPECT_TRUE(at::equal(clips[i].y, expected)) << i;
    EXPECT_EQ(clips[i].shown, i == 0 ? 9 : 4);  // 5 = 1 + 4 frames are drawn again
  }
  EXPECT_EQ(clips[2].prompt, "three");
  EXPECT_EQ(shot(kPro)->frames({81, 480, 832}, 50), 3805);
}

TEST(SviTwo, ClipsAreToldTheLastFrameAndTheAnchorAndLoseTheirFirst) {
  const auto clips = test::told_clips(*shot(kTwo), 3);

  for (std::size_t i = 1; i < clips.size(); ++i) {
    const auto video = test::continued(clips[i - 1], 1, test::told_image());
    EXPECT_TRUE(at::equal(clips[i].y, test::y_of(video))) << i;
    EXPECT_EQ(clips[i].shown, test::kToldFrames - 1);
  }
}

/// The next values of one kind in make_condition_fixtures.py's file.
class Values {
 public:
  Values(const SafetensorsFile& file, const char* name) : all_(file.load(name).to(at::kLong)) {}
  at::Tensor next(std::int64_t count) {
    at_ += count;
    return all_.narrow(0, at_ - count, count);
  }
  bool whole() const { return at_ == all_.numel(); }

 private:
  at::Tensor all_;
  std::int64_t at_ = 0;
};

WanVae codec(std::int64_t stride) {
  const std::vector<std::int64_t> halves(2, stride == 4 ? 1 : 0);
  WanVae vae(WanVaeConfig{.dim = 4,
                          .z_dim = 2,
                          .dim_mult = {1, 1, 1},
                          .num_res_blocks = 1,
                          .temporal_downsample = halves});
  vae.initialise(3);
  vae.require_grad(false);
  return vae;
}

// Which picture stands in which pixel frame, what each latent holds, and the mask to the bit: as
// make_condition_fixtures.py states it, which was compared with the reference's own function.
TEST(ConditionLayouts, HoldWhatAPlainStatementSaysFrameByFrame) {
  constexpr std::int64_t kZero = -1, kAnchor = -2, kFrames = -3;
  const auto file =
      SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/condition/layouts.safetensors");
  Values sizes(file, "sizes"), pixels(file, "pixels"), latents(file, "latents"),
      masks(file, "mask");
  const WanVae four = codec(4), one = codec(1);
  const auto picture = [](std::uint32_t stream, std::int64_t frames) {
    return normal({1, Purpose::test, stream, 0}, {1, 3, frames, 8, 8}).clamp(-1, 1);
  };
  const auto anchor = picture(0, 1);  // [1, 3, 1, 8, 8]
  std::int64_t cases = 0;
  for (; !sizes.whole(); ++cases) {
    const auto row = sizes.next(7);
    const auto value = [&](std::int64_t i) { return row[i].item<std::int64_t>(); };
    const auto T = value(0), k = value(1), stride = value(6), F = (T - 1) / stride + 1;
    const ConditionRule rule{
        .anchor_copies = value(2),
        .mask_all_motion = value(3) != 0,
        .layout = value(4) != 0 ? ConditionLayout::anchor_first : ConditionLayout::video,
        .zero_latents = value(5) != 0};
    const auto& vae = stride == 4 ? four : one;
    const auto motion = picture(1, k);
    auto video = at::zeros({1, 3, T, 8, 8});
    const auto shown = pixels.next(T);
    for (std::int64_t t = 0; t < T; ++t) {
      const auto which = shown[t].item<std::int64_t>();
      if (which >= 0) video.select(2, t).copy_(motion.select(2, which));
      if (which == kAnchor) video.select(2, t).copy_(anchor.select(2, 0));
    }
    auto expected = vae.encode(video);  // [1, 2, F, 2, 2]
    const auto held = latents.next(F);
    for (std::int64_t f = 0; f < F; ++f) {
      const auto what = held[f].item<std::int64_t>();
      if (what == kFrames) continue;
      expected.select(2, f).copy_(what == kZero     ? at::zeros({1, 2, 2, 2})
                                  : what == kAnchor ? vae.encode(anchor).select(2, 0)
                                                    : vae.encode(motion).select(2, what));
    }
    const auto mask = masks.next(stride * F).view({1, stride, F, 1, 1}).to(at::kFloat);

    const auto y = ConditionBuilder(vae).build(motion, anchor.select(2, 0), T, rule);
    EXPECT_TRUE(at::equal(y.narrow(1, stride, 2), expected)) << row;
    EXPECT_TRUE(at::equal(y.narrow(1, 0, stride), mask.expand({1, stride, F, 2, 2}))) << row;
  }
  EXPECT_EQ(cases, 150);
  EXPECT_TRUE(pixels.whole() && latents.whole() && masks.whole());
}

}  // namespace
}  // namespace svi
