#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "method/told_clips.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/train/latent_pool.hpp"

namespace svi {
namespace {

std::unique_ptr<Method> film(const std::string& options = {}) {
  Registry registry;
  load_plugin(PLUGIN_FILE, registry);
  return registry.make<Method>(Document::parse("[method]\n" + options, "test.ini"), "svi_film");
}

TEST(SviFilm, CarriesFiveFramesOverGreyAndStreamsItsPrompts) {
  const auto made = film();
  const auto plan = made->chain()->plan(3);

  EXPECT_EQ(plan.motion_frames, 5);
  EXPECT_EQ(plan.condition.anchor_copies, 0);
  EXPECT_FALSE(plan.condition.mask_all_motion);
  EXPECT_EQ(made->training().motion_probability, 0.9);
  EXPECT_FALSE(made->training().repeat_first);
  EXPECT_EQ(made->prompt_of(3, 10), 3);
  EXPECT_EQ(made->prompt_of(30, 10), 9);
  EXPECT_EQ(film("prompt_repeat = 2\n")->prompt_of(5, 10), 2);
  EXPECT_EQ(made->frames({81, 480, 832}, 10), 765);
}

TEST(SviFilm, ClipZeroIsToldTheImageAloneOrAsOftenAsThereAreMotionFrames) {
  const auto image = test::told_image().unsqueeze(2);  // [1, 3, 1, 16, 16]
  const auto told = [&](const char* options) { return test::told_clips(*film(options), 1)[0].y; };
  const auto copies = [&](std::int64_t count) {
    auto video = at::zeros({1, 3, test::kToldFrames, test::kToldSide, test::kToldSide});
    video.narrow(2, 0, count).copy_(image);
    return test::y_of(video);
  };

  EXPECT_TRUE(at::equal(told(""), copies(1)));
  EXPECT_TRUE(at::equal(told("repeat_first = on\n"), copies(5)));
}

TEST(SviFilm, LaterClipsAreToldTheLastFiveFramesOldestFirst) {
  const auto clips = test::told_clips(*film(), 4);
  const auto grey = at::zeros({1, 3, test::kToldSide, test::kToldSide});

  for (std::size_t i = 1; i < clips.size(); ++i) {
    EXPECT_TRUE(at::equal(clips[i].y, test::y_of(test::continued(clips[i - 1], 5, grey)))) << i;
    EXPECT_TRUE(at::equal(clips[i].seen, clips[i - 1].video.select(2, test::kToldFrames - 5)));
    EXPECT_EQ(clips[i].shown, i + 1 == clips.size() ? 9 : 4);
  }
  EXPECT_EQ(clips[1].prompt, "two");
  EXPECT_EQ(clips[3].prompt, "three");
}

/// Clips of noise; each has another anchor than its own frames.
class NoiseClips final : public ClipSource {
 public:
  static at::Tensor video(std::int64_t draw) {  // [3, T, H, W]
    return normal({8, Purpose::test, static_cast<std::uint32_t>(draw), 1}, {3, 9, 16, 16})
        .clamp(-1, 1);
  }
  static at::Tensor anchor(std::int64_t draw) {
    return normal({8, Purpose::test, static_cast<std::uint32_t>(draw), 2}, {3, 16, 16})
        .clamp(-1, 1);
  }

 private:
  Clip do_training_clip(std::uint64_t, std::int64_t draw, const ClipShape&) const override {
    return {video(draw), anchor(draw), "noise"};
  }
  std::int64_t do_scene_count() const override { return 0; }
  Scene do_scene(std::int64_t, const ClipShape&) const override { return {}; }
};

/// The pool of four such clips, by the training plan of a method.
struct FilmPool {
  explicit FilmPool(const std::string& options) {
    const auto vae = test::tiny_vae();
    const LatentPool::Encoders encoders{
        vae,
        [](const std::vector<std::string>& prompts) {
          return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
        },
        [](const at::Tensor& image) { return image.clone(); }};
    LatentPool::encode(folder / "pool", NoiseClips(), 1, 0, 4, {9, 16, 16}, encoders,
                       film(options)->training());
    pool = LatentPool::open(folder / "pool");
  }

  /// y of a training clip's first frame, `count` times, or of its first `count` frames.
  static at::Tensor y(std::int64_t draw, std::int64_t count, bool repeated) {
    const auto clip = NoiseClips::video(draw).unsqueeze(0);
    auto video = at::zeros_like(clip);
    video.narrow(2, 0, count).copy_(clip.narrow(2, 0, repeated ? 1 : count));
    return test::y_of(video)[0];
  }

  TemporaryFolder folder;
  LatentPool pool;
};

/// Clips are encoded in batches, whose kernels round in another order.
bool near(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-5, 1e-5); }

TEST(FilmTraining, SamplesSeeFiveFramesOrTheirFirstAlone) {
  const FilmPool usual(""), repeated("repeat_first = on\n"), always("motion_probability = 1\n");

  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(near(usual.pool.condition[part::kImage][i], FilmPool::y(i, 5, false)));
    EXPECT_TRUE(near(usual.pool.image_one[i], FilmPool::y(i, 1, false)));
    EXPECT_TRUE(near(repeated.pool.condition[part::kImage][i], FilmPool::y(i, 5, false)));
    EXPECT_TRUE(near(repeated.pool.image_one[i], FilmPool::y(i, 5, true)));
    // Both are told the same picture: the oldest motion frame is the sample's first.
    EXPECT_TRUE(at::equal(usual.pool.condition[part::kClip][i], NoiseClips::video(i).select(1, 0)));
  }
  EXPECT_FALSE(usual.pool.clip_one.defined());
  EXPECT_FALSE(always.pool.image_one.defined());
  // The mask marks latent frame 0 alone, whatever is shown.
  const auto mask = usual.pool.condition[part::kImage].narrow(1, 0, 4);  // [4, 4, 3, 4, 4]
  EXPECT_TRUE(mask.select(2, 0).eq(1).all().item<bool>());
  EXPECT_TRUE(mask.narrow(2, 1, 2).eq(0).all().item<bool>());
}

TEST(FilmTraining, AnchorsStandBehindTheMotionFramesAndTheImageBranchMaySeeThem) {
  const FilmPool anchored("anchor_copies = -1\nclip_image = anchor\n"), last("clip_image = last\n");

  for (std::int64_t i = 0; i < 4; ++i) {
    auto video = NoiseClips::video(i);
    const auto frame = video.clone();
    video.narrow(1, 5, 4).copy_(NoiseClips::anchor(i).unsqueeze(1));
    EXPECT_TRUE(near(anchored.pool.condition[part::kImage][i], test::y_of(video.unsqueeze(0))[0]));
    EXPECT_TRUE(at::equal(anchored.pool.condition[part::kClip][i], NoiseClips::anchor(i)));
    EXPECT_TRUE(at::equal(last.pool.condition[part::kClip][i], frame.select(1, 4)));
    EXPECT_TRUE(at::equal(last.pool.clip_one[i], frame.select(1, 0)));
  }
  EXPECT_FALSE(anchored.pool.clip_one.defined());
}

}  // namespace
}  // namespace svi
