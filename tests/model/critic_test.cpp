#include "svi/model/critic.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <filesystem>
#include <fstream>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

at::Tensor some_frames(std::int64_t count, std::int64_t height = 32, std::int64_t width = 32) {
  auto frames = at::empty({count, 3, height, width}, at::kFloat);
  fill_uniform({7, Purpose::test, 0, 0}, frames.mutable_data_ptr<float>(), frames.numel());
  return frames;
}

Critic some_critic(std::uint64_t seed = 1) {
  Critic critic({.width = 4, .features = 6});
  critic.initialise(seed);
  return critic;
}

std::string refusal_of(const std::string& path) {
  try {
    Critic::open(path);
  } catch (const IoError& error) {
    return error.what();
  }
  return "opened";
}

TEST(Critic, LooksAtEachFrameByItself) {
  const auto critic = some_critic();
  const auto frames = some_frames(5);

  const auto all = critic.look(frames);
  const auto one = critic.look(frames.slice(0, 3, 4));

  ASSERT_TRUE(all.psnr.sizes().equals({5}));
  ASSERT_TRUE(all.features.sizes().equals({5, 6}));
  EXPECT_TRUE(at::allclose(all.psnr.slice(0, 3, 4), one.psnr, 1e-5, 1e-4));
  EXPECT_TRUE(at::allclose(all.features.slice(0, 3, 4), one.features, 1e-4, 1e-5));
}

TEST(Critic, WorksAtAnySizeOfEightPixelsOrMore) {
  const auto critic = some_critic();

  for (const auto& [height, width] : {std::pair{8, 8}, {33, 57}, {64, 16}}) {
    EXPECT_TRUE(critic.look(some_frames(2, height, width)).psnr.isfinite().all().item<bool>());
  }
  EXPECT_THROW(critic.look(some_frames(1, 7, 32)), Error);
  EXPECT_THROW(critic.look(some_frames(1).to(at::kDouble)), Error);
}

// Means over the picture: the same texture over twice the side is judged alike but for its borders.
TEST(Critic, JudgesATiledTextureByTheTile) {
  const auto critic = some_critic();
  const auto tile = some_frames(1);

  const double once = critic.look(tile.repeat({1, 1, 8, 8})).psnr.item<double>();
  const double more = critic.look(tile.repeat({1, 1, 16, 16})).psnr.item<double>();

  EXPECT_NEAR(once, more, 1);
}

TEST(Critic, HasAFifthOfAMillionWeights) {
  Critic critic({});
  critic.initialise(1);
  EXPECT_GT(critic.flat().numel(), 100'000);
  EXPECT_LT(critic.flat().numel(), 300'000);
}

TEST(Critic, SurvivesAFile) {
  const TemporaryFolder folder;
  const auto path = (folder.path() / "critic.safetensors").string();
  const auto critic = some_critic();
  save_safetensors(path, critic.parameters());

  const auto opened = Critic::open(path);

  EXPECT_EQ(opened.config().width, 4);
  EXPECT_EQ(opened.config().features, 6);
  EXPECT_TRUE(at::equal(opened.flat(), critic.flat()));
  EXPECT_TRUE(at::equal(opened.look(some_frames(2)).psnr, critic.look(some_frames(2)).psnr));
}

TEST(Critic, RefusesDamagedWeightsByName) {
  const TemporaryFolder folder;
  const auto path = (folder.path() / "critic.safetensors").string();
  const auto parameters = some_critic().parameters();
  const auto saved = [&](const auto& change) {
    NamedTensors tensors = parameters;
    change(tensors);
    save_safetensors(path, tensors);
    return refusal_of(path);
  };

  EXPECT_THAT(saved([](auto& t) { t.pop_back(); }), HasSubstr("missing (1):\n    score.bias"));
  EXPECT_THAT(saved([](auto& t) { t.emplace_back("more", at::ones({1})); }),
              HasSubstr("unexpected (1):\n    more"));
  EXPECT_THAT(saved([](auto& t) {
                t[2].second = at::ones({8, 5, 3, 3});
              }),
              HasSubstr("stages.1.down.weight: model [8, 4, 3, 3], weights [8, 5, 3, 3]"));
  EXPECT_THAT(saved([](auto& t) { t.erase(t.begin()); }), HasSubstr("no stem.weight"));
  EXPECT_THAT(saved([](auto& t) {
                t[0].second = at::ones({1, 1}).expand({2000, 1});
              }),
              HasSubstr(path));
  saved([](auto&) {});
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_THAT(refusal_of(path), HasSubstr(path));
  std::ofstream(path) << "not weights";
  EXPECT_THAT(refusal_of(path), HasSubstr(path));
  EXPECT_THROW(Critic({.width = 0}), ConfigError);
}

TEST(Critic, GradientsReachEveryWeight) {
  auto critic = some_critic();
  critic.require_grad(true);

  critic.look(some_frames(4)).psnr.sum().backward();

  for (const auto& [name, weight] : critic.parameters()) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
    EXPECT_TRUE(weight.is_alias_of(critic.flat())) << name;
  }
}

}  // namespace
}  // namespace svi
