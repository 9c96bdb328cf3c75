#include "svi/evaluate/evaluation.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "method/tiny_models.hpp"
#include "pocket/pocket_world.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/chain.hpp"
#include "svi/sampler/euler.hpp"

namespace svi {
namespace {

/// Reports where it was called: clip index, and each frame's index in the film.
class Clock final : public Metric {
 public:
  std::vector<Quantity> quantities() const override {
    return {{"clip_index", "1", "the clip's index", Better::higher, false, false},
            {"frame_index", "1", "the frame's index", Better::higher, true, true}};
  }
  std::unique_ptr<MetricSession> open() const override {
    class Session final : public MetricSession {
      void add(const ClipView& clip, MetricSink& sink) override {
        EXPECT_TRUE(clip.truth.defined());
        EXPECT_EQ(clip.truth.sizes(), clip.frames.sizes());
        EXPECT_GE(clip.frames.min().item<float>(), 0);
        sink.clip(0, static_cast<double>(clip.clip));
        std::vector<double> frames;
        for (std::int64_t t = 0; t < clip.frames.size(1); ++t)
          frames.push_back(static_cast<double>(clip.first_frame + t));
        sink.frames(1, frames);
      }
    };
    return std::make_unique<Session>();
  }
};

/// Gives features: the clip's index and first and last frame, of the film and (100 more) the truth.
class Places final : public Metric {
 public:
  std::vector<Quantity> quantities() const override {
    return {{.name = "places", .unit = "1", .meaning = "", .features = 3, .feature_frames = 2}};
  }
  std::unique_ptr<MetricSession> open() const override {
    class Session final : public MetricSession {
      void add(const ClipView& clip, MetricSink& sink) override {
        const auto places =
            at::tensor({static_cast<float>(clip.clip), static_cast<float>(clip.first_frame), 7.0F})
                .view({1, 3});
        sink.features(0, places, places + 100);
        EXPECT_THROW(sink.clip(0, 1), Error);
        EXPECT_THROW(sink.features(0, at::zeros({3, 3}), at::zeros({3, 3})), Error);
        EXPECT_THROW(sink.features(0, at::zeros({1, 2}), at::zeros({1, 2})), Error);
      }
    };
    return std::make_unique<Session>();
  }
};

class Plain final : public ChainMethod {
  ClipPlan do_plan(std::int64_t) const override { return {}; }
};

TEST(Evaluation, PutsEveryNumberWhereItsClipAndFrameAre) {
  const auto vae = test::tiny_vae();
  const test::CopyingModel model;
  const EulerSampler sampler({.steps = 2, .shift = 5});
  const Plain method;
  const PocketWorld world({});
  const ClipShape shape{17, 16, 16};
  const NoGuidance guidance;
  const auto no_text = [](const auto& p) {
    return at::zeros({static_cast<std::int64_t>(p.size()), 2, 4});
  };
  const Studio studio{model, vae, no_text, method, sampler, guidance, {.clips = 3}, shape};
  std::vector<std::unique_ptr<Metric>> metrics;
  metrics.push_back(std::make_unique<Clock>());
  metrics.push_back(std::make_unique<Places>());
  const Evaluation evaluation(studio, world, metrics);

  const auto scores = evaluation.run({world.scene(0, shape), world.scene(1, shape)}, {});

  ASSERT_EQ(scores.quantities.size(), 3u);
  EXPECT_TRUE(at::equal(scores.clip[0], at::arange(3, at::kDouble).expand({2, 3})));
  EXPECT_TRUE(at::equal(scores.frame[1], at::arange(49, at::kDouble).expand({2, 49})));
  EXPECT_FALSE(scores.frame[0].defined());
  EXPECT_TRUE(std::isnan(scores.clip[1][0][0].item<double>()));

  // One row of two was given for each clip; the other stays NaN.
  const auto &shown = scores.features[2], &truth = scores.true_features[2];
  ASSERT_TRUE(shown.sizes().equals({2, 3, 2, 3}));
  EXPECT_FALSE(scores.clip[2].defined());
  EXPECT_FALSE(scores.features[0].defined());
  EXPECT_TRUE(at::equal(shown[1][2][0], at::tensor({2.0F, 32.0F, 7.0F})));
  EXPECT_TRUE(at::equal(truth[1][2][0], at::tensor({102.0F, 132.0F, 107.0F})));
  EXPECT_TRUE(shown.select(2, 1).isnan().all().item<bool>());
}

}  // namespace
}  // namespace svi
