#include "vision/scene_cuts.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hashed_frame.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace svi::vision {
namespace {

constexpr std::int64_t kCutFilmFrames = 260;

/// What make_scene_fixtures.py computed.
at::Tensor scene_answer(const std::string& name) {
  return SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/scene_cuts.safetensors")
      .load(name);
}

/// Frame by frame the film of make_scene_fixtures.py: levels [3, H, W].
class SceneFilm {
 public:
  SceneFilm(std::vector<std::int64_t> changes, std::int64_t height, std::int64_t width)
      : changes_(std::move(changes)), height_(height), width_(width) {}

  at::Tensor next() {
    if (t_ == 0 || std::count(changes_.begin(), changes_.end(), t_) > 0) {
      image_ = svi::testing::hashed(cat("scene", picture_++), {3, 8, 8})
                   .to(at::kDouble)
                   .repeat_interleave(height_ / 8 + 1, 1)
                   .repeat_interleave(width_ / 8 + 1, 2)
                   .narrow(1, 0, height_)
                   .narrow(2, 0, width_);
    }
    const auto noise = svi::testing::hashed(cat("noise", t_++ % 16), {3, height_, width_});
    return (127.5 + 100 * image_ + 4 * noise.to(at::kDouble)).round().clamp(0, 255).to(at::kFloat);
  }

 private:
  std::vector<std::int64_t> changes_;
  std::int64_t height_, width_, t_ = 0, picture_ = 0;
  at::Tensor image_;
};

std::vector<std::int64_t> every(std::int64_t first, std::int64_t last, std::int64_t step) {
  std::vector<std::int64_t> frames;
  for (auto t = first; t < last; t += step) frames.push_back(t);
  return frames;
}

std::vector<std::int64_t> changes_of(const std::string& name) {
  if (name == "calm") return {40, 90, 150};
  if (name == "flashes") return {5, 40, 41, 80, 84, 88, 120, 160, 174, 175, 215};
  auto burst = every(60, 90, 2);
  for (const auto t : every(150, 190, 7)) burst.push_back(t);
  for (const auto t : {30, 120, 230}) burst.push_back(t);
  return burst;
}

TEST(SceneCuts, AreThoseOfPySceneDetect) {
  struct Size {
    const char* name;
    std::int64_t height, width;
  };
  for (const auto& size : {Size{"small", 48, 64}, {"wide", 200, 320}, {"tall", 300, 200}}) {
    for (const std::string name : {"calm", "flashes", "burst"}) {
      if (std::string(size.name) != "small" && name != "calm") continue;
      const auto film = cat(name, ".", size.name, ".");
      const auto scores = scene_answer(film + "scores");
      SceneFilm frames(changes_of(name), size.height, size.width);
      SceneCuts cuts(35, 15);
      std::vector<std::int64_t> found;
      for (std::int64_t t = 0; t < kCutFilmFrames; ++t) {
        if (const auto cut = cuts.add(frames.next())) found.push_back(*cut);
        // Frames that are made smaller may differ by a level: OpenCV weighs with 11 bits.
        ASSERT_NEAR(cuts.change(), scores[t].item<double>(), size.height == 48 ? 1e-9 : 0.1) << t;
      }
      const auto wanted = scene_answer(film + "15.cuts");
      EXPECT_TRUE(at::equal(at::tensor(found), wanted)) << film << at::tensor(found) << wanted;
    }
  }
}

TEST(CutFilter, DecidesInTimeWhateverTheSmallestLength) {
  for (const std::string name : {"calm", "flashes", "burst"}) {
    const auto scores = scene_answer(name + ".small.scores");
    for (const std::int64_t fewest : {15, 4, 0}) {
      CutFilter filter(fewest);
      std::vector<std::int64_t> found;
      std::int64_t open = 0;
      for (std::int64_t t = 0; t < kCutFilmFrames; ++t) {
        const auto cut = filter.add(scores[t].item<double>() >= 35);
        if (cut) {
          EXPECT_GE(*cut, open) << "frame " << *cut << " was said to begin no scene";
          found.push_back(*cut);
        }
        EXPECT_GE(filter.open(), open);
        open = filter.open();
        EXPECT_LE(t + 1 - open, std::max<std::int64_t>(fewest, 0));
      }
      const auto wanted = scene_answer(cat(name, ".small.", fewest, ".cuts"));
      EXPECT_TRUE(at::equal(at::tensor(found), wanted)) << name << fewest << at::tensor(found);
    }
  }
}

TEST(SceneCuts, RoundColoursAsOpenCvDoes) {
  const auto colours =
      svi::testing::hashed("colours", {3, 64, 64}).to(at::kDouble).mul(127.5).add(127.5).round();
  EXPECT_TRUE(at::equal(hue_saturation_value(colours), scene_answer("hsv").to(at::kInt)));
}

}  // namespace
}  // namespace svi::vision
