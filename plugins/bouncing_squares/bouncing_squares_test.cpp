#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/data/clip_source.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

class BouncingSquaresTest : public ::testing::Test {
 protected:
  BouncingSquaresTest() {
    load_plugin(PLUGIN_FILE, registry_);
    world_ = registry_.make<ClipSource>(
        Document::parse("[data]\ntype = bouncing_squares\n", "test.ini"), "none");
  }

  Registry registry_;
  std::unique_ptr<ClipSource> world_;
  ClipShape shape_{9, 24, 32};
};

TEST_F(BouncingSquaresTest, BeginsEveryTruthWithTheScenesImage) {
  for (std::int64_t i = 0; i < 20; ++i) {
    const auto scene = world_->scene(i, shape_);
    const auto truth = world_->truth(i, 0, 3, shape_);
    ASSERT_TRUE(truth);
    EXPECT_TRUE(at::equal(truth->select(1, 0), scene.image));
    EXPECT_LE(truth->abs().max().item<double>(), 1);
  }
}

TEST_F(BouncingSquaresTest, TruthDoesNotDependOnWhereItIsAskedFrom) {
  const auto whole = *world_->truth(3, 0, 100, shape_);
  EXPECT_TRUE(at::equal(*world_->truth(3, 40, 60, shape_), whole.narrow(1, 40, 60)));
}

TEST_F(BouncingSquaresTest, ShowsOneSquareOfTheSameSizeInEveryFrame) {
  const auto truth = *world_->truth(5, 0, 200, shape_);  // [3, 200, H, W]
  const auto area = [&](std::int64_t t) {
    const auto frame = truth.select(1, t);
    const auto corner_free = (frame != frame.select(1, 0).select(1, 0).view({3, 1, 1})).any(0);
    const auto count = corner_free.sum().item<std::int64_t>();
    return std::min(count, shape_.height * shape_.width - count);  // the corner may be the square's
  };
  const auto side = std::llround(0.3 * 24);
  for (std::int64_t t = 0; t < 200; ++t) EXPECT_EQ(area(t), side * side) << t;
}

TEST_F(BouncingSquaresTest, TrainingNeverShowsAHeldOutScene) {
  for (std::int64_t i = 0; i < 50; ++i) {
    const auto held_out = world_->scene(i, shape_).image;
    for (std::int64_t draw = 0; draw < 20; ++draw) {
      const auto clip = world_->training_clip(0, draw, shape_);
      EXPECT_FALSE(at::equal(clip.video.select(1, 0), held_out));
    }
  }
}

}  // namespace
}  // namespace svi
