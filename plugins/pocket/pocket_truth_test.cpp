#include "pocket/pocket_truth.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metric/recording_sink.hpp"
#include "pocket/pocket_world.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

constexpr std::int64_t kFrames = 24, kClip = 4;
const std::vector<std::string> kAll = {"background_psnr", "object_colour", "object_shape",
                                       "path_error",      "speed_ratio",   "dynamic_degree"};

PocketScene moving_scene(std::int64_t index) {
  PocketWorld::Config config;
  config.speed = 0.04;
  return PocketWorld(config).pocket_scene(Split::held_out, 0, index);
}

at::Tensor moving_film(const PocketScene& scene,
                       std::int64_t first = 0) {  // [3, T, H, W] in [0, 1]
  return (scene.render(first, kFrames, 32, 32) + 1) / 2;
}

at::Tensor blurred(const at::Tensor& film) {
  return at::avg_pool2d(film.transpose(0, 1), {5, 5}, {1, 1}, {2, 2}, false, false).transpose(0, 1);
}

/// Mean of each quantity over the clips of several scenes' films, each changed by `change`.
template <class Change>
std::map<std::string, double> mean_of(const Change& change) {
  constexpr int kScenes = 6;
  std::map<std::string, double> sums;
  for (int i = 0; i < kScenes; ++i) {
    const auto scene = moving_scene(i);
    const auto truth = moving_film(scene);
    const auto seen =
        measure(PocketTruthMetric({}), change(truth, i), kClip, truth, scene.prompt.text()).clips;
    for (const auto& [name, values] : seen) {
      for (const double value : values)
        sums[name] += value / static_cast<double>(values.size()) / kScenes;
    }
  }
  return sums;
}

TEST(PocketTruth, GivesTheTruthThePerfectValueOfEverything) {
  const auto scene = moving_scene(0);
  const auto truth = moving_film(scene);

  const auto seen = measure(PocketTruthMetric({}), truth, kClip, truth, scene.prompt.text()).clips;

  for (std::size_t clip = 0; clip < kFrames / kClip; ++clip) {
    EXPECT_EQ(seen.at("background_psnr")[clip], 100);
    EXPECT_EQ(seen.at("object_colour")[clip], 0);
    EXPECT_EQ(seen.at("object_shape")[clip], 1);
    EXPECT_EQ(seen.at("path_error")[clip], 0);
    EXPECT_NEAR(seen.at("speed_ratio")[clip], 1, 1e-12);
    EXPECT_NEAR(seen.at("dynamic_degree")[clip], 1, 1e-12);
  }
}

TEST(PocketTruth, FindsOutAFrozenFilm) {
  const auto seen = mean_of([](const at::Tensor& truth, int) {
    return truth.slice(1, 0, 1).repeat({1, kFrames, 1, 1});
  });

  EXPECT_EQ(seen.at("speed_ratio"), 0);
  EXPECT_EQ(seen.at("dynamic_degree"), 0);
  EXPECT_GT(seen.at("path_error"), 0.2);
  EXPECT_GT(seen.at("object_shape"), 0.99);  // which forgives it, as the background does
  EXPECT_GT(seen.at("background_psnr"), 99);
}

TEST(PocketTruth, FindsOutAGreyFilm) {
  const auto seen = mean_of([](const at::Tensor& truth, int) { return at::full_like(truth, 0.5); });

  EXPECT_LT(seen.at("background_psnr"), 15);
  EXPECT_EQ(seen.at("object_shape"), 0);
  EXPECT_DOUBLE_EQ(seen.at("object_colour"), 1);
  EXPECT_DOUBLE_EQ(seen.at("path_error"), 0.5);
  EXPECT_EQ(seen.at("speed_ratio"), 0);
  EXPECT_EQ(seen.at("dynamic_degree"), 0);
}

TEST(PocketTruth, FindsOutAnotherScene) {
  const auto seen =
      mean_of([](const at::Tensor&, int i) { return moving_film(moving_scene(100 + i)); });

  EXPECT_LT(seen.at("background_psnr"), 15);
  EXPECT_GT(seen.at("object_colour"), 0.15);
  EXPECT_GT(seen.at("path_error"), 0.15);
  EXPECT_GT(seen.at("dynamic_degree"), 0.5);  // as lively as the right one
}

TEST(PocketTruth, FindsOutAReversedFilm) {
  const auto seen = mean_of([](const at::Tensor& truth, int) { return truth.flip(1); });

  EXPECT_NEAR(seen.at("speed_ratio"), -1, 0.02);
  EXPECT_GT(seen.at("path_error"), 0.2);
  EXPECT_NEAR(seen.at("dynamic_degree"), 1, 0.01);  // which cannot see it
  EXPECT_GT(seen.at("object_shape"), 0.99);
}

TEST(PocketTruth, FindsOutABlurredFilm) {
  const auto seen = mean_of([](const at::Tensor& truth, int) { return blurred(truth); });

  EXPECT_LT(seen.at("object_shape"), 0.9);
  EXPECT_LT(seen.at("background_psnr"), 35);
  EXPECT_LT(seen.at("dynamic_degree"), 0.9);
}

TEST(PocketTruth, FindsOutAFilmWithoutItsDisc) {
  const auto seen = mean_of([](const at::Tensor&, int i) {
    auto empty = moving_scene(i);
    empty.disc_y = -1;  // out of sight
    return moving_film(empty) + normal({4, Purpose::test, 0, 0}, {3, kFrames, 32, 32}) * 0.02;
  });

  EXPECT_LT(seen.at("object_shape"), 0.2);
  EXPECT_GT(seen.at("object_colour"), 0.9);
  EXPECT_GT(seen.at("path_error"), 0.45);
  EXPECT_NEAR(seen.at("speed_ratio"), 0, 0.05);
  EXPECT_GT(seen.at("background_psnr"), 30);  // which forgives it
}

TEST(PocketTruth, CountsJumpsAsNoMotion) {
  // Where the disc goes is right on average: it stands still for `hold` frames, then jumps.
  for (const std::int64_t hold : {2, 4, 8}) {
    const auto seen = mean_of([&](const at::Tensor& truth, int) {
      const auto frames = at::arange(kFrames).floor_divide(hold) * hold;
      return truth.index_select(1, frames);
    });
    EXPECT_NEAR(seen.at("speed_ratio"), 0, 0.02) << hold;
  }
  const auto scattered = mean_of([](const at::Tensor& truth, int) {
    return truth.index_select(1, (at::arange(kFrames) * 11).remainder(kFrames));
  });
  EXPECT_LT(std::abs(scattered.at("speed_ratio")), 0.2);
}

TEST(PocketTruth, ForgivesALateStartInSpeedAndNotInPath) {
  const auto seen =
      mean_of([](const at::Tensor&, int i) { return moving_film(moving_scene(i), 3); });

  EXPECT_NEAR(seen.at("speed_ratio"), 1, 0.02);
  EXPECT_NEAR(seen.at("path_error"), 0.12, 0.01);
}

TEST(PocketTruth, IsUndefinedWithoutTruthOrPrompt) {
  const auto scene = moving_scene(1);
  const auto film = moving_film(scene);

  const auto blind = measure(PocketTruthMetric({}), film, kClip, {}, scene.prompt.text()).clips;
  const auto lost = measure(PocketTruthMetric({}), film, kClip, film, "a cat").clips;

  for (const auto& name : kAll) {
    EXPECT_TRUE(std::isnan(blind.at(name)[0])) << name;
    EXPECT_TRUE(std::isnan(lost.at(name)[0])) << name;
  }
}

TEST(Quantities, SayWhatIsBetter) {
  std::map<std::string, Better> better;
  for (const auto& quantity : PocketTruthMetric({}).quantities())
    better[quantity.name] = quantity.better;

  EXPECT_EQ(better.at("background_psnr"), Better::higher);
  EXPECT_EQ(better.at("path_error"), Better::lower);
  EXPECT_EQ(better.at("speed_ratio"), Better::one);
  for (const auto& quantity : PocketMetric({}).quantities()) {
    EXPECT_EQ(quantity.better == Better::one, quantity.name == "pocket_motion") << quantity.name;
  }
}

}  // namespace
}  // namespace svi
