#include "svi/train/critic_trainer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "pocket/pocket_world.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::int64_t kCriticBatch = 8;

Critic tiny_critic() { return Critic({.width = 4, .features = 8}); }

CriticTrainingConfig critic_config(std::int64_t steps) {
  CriticTrainingConfig config;
  config.steps = steps;
  config.batch = kCriticBatch;
  config.seed = 3;
  config.optimizer.warmup_steps = 2;
  return config;
}

at::Tensor real_frames(std::int64_t step) {
  const PocketWorld world({});
  std::vector<at::Tensor> frames;
  for (std::int64_t i = 0; i < kCriticBatch; ++i) {
    frames.push_back(
        world.training_clip(3, step * kCriticBatch + i, {1, 16, 16}).video.select(1, 0));
  }
  return (at::stack(frames) + 1) / 2;
}

// Grey frames, on which any change shows: something a tiny critic learns within a second.
TEST(CriticTrainer, LearnsToTellHowMuchIsDamaged) {
  const auto grey = at::full({kCriticBatch, 3, 16, 16}, 0.5);
  auto critic = tiny_critic();
  auto settings = critic_config(150);
  settings.optimizer.learning_rate = 1e-2;
  settings.damage = {.clean_probability = 0.3, .most_kinds = 1, .weakest = 30, .strongest = 11};
  CriticTrainer trainer(critic, settings, [&](std::int64_t) { return grey; });

  while (!trainer.finished()) trainer.advance();
  const auto after = judge_critic(critic, settings.damage, grey, 8, 3);

  EXPECT_LT(after.error, 3);  // dB; of 10 to 40
  EXPECT_GT(after.pearson, 0.95);
  EXPECT_EQ(after.truth.size(), static_cast<std::size_t>(8 * kCriticBatch));
}

TEST(CriticTrainer, ResumesBitForBit) {
  auto whole = tiny_critic();
  CriticTrainer straight(whole, critic_config(8), real_frames);
  while (!straight.finished()) straight.advance();

  auto first = tiny_critic();
  CriticTrainer before(first, critic_config(8), real_frames);
  for (int i = 0; i < 3; ++i) before.advance();
  auto second = tiny_critic();
  CriticTrainer after(second, critic_config(8), real_frames);
  after.load(before.state());
  EXPECT_EQ(after.step(), 3);
  while (!after.finished()) after.advance();

  EXPECT_TRUE(at::equal(whole.flat(), second.flat()));
  EXPECT_FALSE(at::equal(whole.flat(), first.flat()));
}

TEST(CriticTrainer, RefusesTheStateOfAnotherCritic) {
  auto critic = tiny_critic(), other = Critic({.width = 2, .features = 8});
  CriticTrainer trainer(critic, critic_config(2), real_frames),
      smaller(other, critic_config(2), real_frames);

  EXPECT_THROW(trainer.load(smaller.state()), IoError);
  EXPECT_THROW(trainer.load({}), IoError);
}

TEST(CriticTrainer, IsAFunctionOfItsSeed) {
  auto a = tiny_critic(), b = tiny_critic(), c = tiny_critic();
  auto other = critic_config(2);
  other.seed = 4;
  CriticTrainer(a, critic_config(2), real_frames).advance();
  CriticTrainer(b, critic_config(2), real_frames).advance();
  CriticTrainer(c, other, real_frames).advance();

  EXPECT_TRUE(at::equal(a.flat(), b.flat()));
  EXPECT_FALSE(at::equal(a.flat(), c.flat()));
}

TEST(CriticTarget, IsThePsnrWithinItsRange) {
  const auto frame = at::full({3, 8, 8}, 0.5);

  EXPECT_NEAR(critic_target(frame + 0.1, frame), 20, 1e-4);
  EXPECT_EQ(critic_target(frame, frame), kCriticCeiling);
  EXPECT_EQ(critic_target(frame + 0.5, frame), kCriticFloor);
}

TEST(JudgeCritic, ComparesPredictionsWithTheTruth) {
  const auto critic = tiny_critic();  // weights zero: always says the middle, 25 dB

  const auto report = judge_critic(critic, {.clean_probability = 1}, real_frames(0), 2, 0);

  EXPECT_EQ(report.truth, std::vector<double>(2 * kCriticBatch, 40));
  EXPECT_EQ(report.predicted, std::vector<double>(2 * kCriticBatch, 25));
  EXPECT_NEAR(report.error, 15, 1e-6);
  EXPECT_NEAR(report.bias, -15, 1e-6);
}

TEST(CriticTrainingConfig, RefusesBatchesOfOneClip) {
  auto wrong = critic_config(1);
  wrong.frames_per_clip = kCriticBatch;
  EXPECT_NE(wrong.problem(), "");
  wrong.frames_per_clip = 3;
  EXPECT_NE(wrong.problem(), "");
  wrong.frames_per_clip = 4;
  EXPECT_EQ(wrong.problem(), "");
}

}  // namespace
}  // namespace svi
