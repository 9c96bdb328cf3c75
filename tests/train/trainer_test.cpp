#include "svi/train/trainer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"
#include "svi/core/check.hpp"
#include "svi/error/rollout.hpp"

namespace svi {
namespace {

using test::FakeRun;

TEST(Trainer, LearnsTheTruthOfALinearWorld) {
  FakeRun run({.training = {.steps = 300, .slots = 1, .micro_batch = 4}, .recycle = false});
  double first = 0, last = 0;
  run.trainer->run([&](const StepReport& report) {
    if (report.step < 20) first += report.unweighted_loss / 20;
    if (report.step >= 280) last += report.unweighted_loss / 20;
  });

  EXPECT_LT(last, 0.92 * first);  // half of the noise cannot be told from the data
  EXPECT_TRUE(run.trainer->finished());
}

TEST(Trainer, GivesTheLossOfThePlainFormula) {
  FakeRun run({.training = {.steps = 1, .slots = 2, .micro_batch = 3}, .recycle = false});
  const FlowSchedule schedule(1000, 5);
  double expected = 0;
  for (std::int64_t sample = 0; sample < 6; ++sample) {
    const auto batch = run.data.batch(0, sample, 1);
    const auto stream = static_cast<std::uint32_t>(sample);
    const auto index = uniform_index({test::kSeed, Purpose::sample_time, stream, 0}, 1000);
    const double sigma = schedule.sigmas()[index];
    const auto noise =
        normal({test::kSeed, Purpose::sample_noise, stream, 0}, batch.latent.sizes());
    const auto noisy = (1 - sigma) * batch.latent + sigma * noise;
    const auto velocity = run.model.velocity(noisy, at::full({1}, 1000 * sigma), batch.condition);
    const double error = (velocity - (noise - batch.latent)).square().mean().item<double>();
    expected += error * schedule.training_weights()[index] / 6;
  }

  EXPECT_NEAR(run.trainer->step().loss, expected, 1e-5);
}

TEST(Trainer, GivesTheLossOfEachFrameAtItsOwnTime) {
  for (const std::int64_t block : {1, 2}) {
    FakeRun run({.training = {.steps = 1,
                              .slots = 2,
                              .micro_batch = 3,
                              .frame_times = FrameTimes::independent,
                              .frame_time_block = block},
                 .recycle = false});
    const FlowSchedule schedule(1000, 5);
    double expected = 0;
    for (std::int64_t sample = 0; sample < 6; ++sample) {
      const auto batch = run.data.batch(0, sample, 1);
      const auto stream = static_cast<std::uint32_t>(sample);
      const auto noise =
          normal({test::kSeed, Purpose::sample_noise, stream, 0}, batch.latent.sizes());
      auto noisy = batch.latent.clone();
      const auto times = at::zeros({1, test::kF});
      std::vector<double> weights;
      for (std::int64_t f = 0; f < test::kF; ++f) {
        const auto index = uniform_index({test::kSeed, Purpose::sample_time, stream, 0}, 1000,
                                         static_cast<std::uint32_t>(f / block));
        const double sigma = schedule.sigmas()[index];
        times[0][f] = 1000 * sigma;
        weights.push_back(schedule.training_weights()[index]);
        noisy.select(2, f).copy_((1 - sigma) * batch.latent.select(2, f) +
                                 sigma * noise.select(2, f));
      }
      const auto error =
          (run.model.velocity(noisy, times, batch.condition) - (noise - batch.latent)).square();
      for (std::int64_t f = 0; f < test::kF; ++f)
        expected += error.select(2, f).mean().item<double>() *
                    weights[static_cast<std::size_t>(f)] / (6 * test::kF);
    }

    EXPECT_NEAR(run.trainer->step().loss, expected, 1e-5);
  }
}

TEST(Trainer, FramesShareATimeWhereTheirProbabilityIsNought) {
  const auto loss = [](FrameTimes times, double probability) {
    FakeRun run({.training = {.steps = 1,
                              .micro_batch = 4,
                              .frame_times = times,
                              .frame_time_probability = probability},
                 .recycle = false});
    return run.trainer->step().loss;
  };
  const auto one = loss(FrameTimes::one, 1);
  EXPECT_NEAR(loss(FrameTimes::independent, 0), one, 1e-6);
  EXPECT_NEAR(loss(FrameTimes::rolling, 0), one, 1e-6);
  EXPECT_GT(std::abs(loss(FrameTimes::rolling, 1) - one), 1e-4);
  EXPECT_GT(std::abs(loss(FrameTimes::independent, 1) - one), 1e-4);
}

TEST(Trainer, RefusesToRecycleErrorsOfFramesWithTimesOfTheirOwn) {
  EXPECT_THROW(FakeRun({.training = {.frame_times = FrameTimes::rolling}}), ConfigError);
}

TEST(Trainer, CountsCleanSamplesAndHits) {
  FakeRun::Options options;
  options.injection = {.noise_probability = 1,
                       .latent_probability = 1,
                       .image_probability = 1,
                       .clean_probability = 0};
  options.bank.bins = 1;
  FakeRun run(options);

  const auto empty = run.trainer->step();
  const auto filled = run.trainer->step();

  EXPECT_EQ(empty.noise_hits + empty.latent_hits + empty.image_hits + empty.clean, 0);
  EXPECT_EQ(filled.noise_hits, 8);
  EXPECT_EQ(filled.latent_hits, 8);
  EXPECT_EQ(filled.image_hits, 8);
  ASSERT_TRUE(empty.bank.has_value());
  EXPECT_EQ(empty.bank->entries, 5);
  EXPECT_EQ(empty.bank->stored, 8);
}

TEST(Trainer, ResumesBitForBit) {
  for (const auto share : {BankSharing::all, BankSharing::warmup, BankSharing::none}) {
    FakeRun::Options options;
    options.recycling = {.share = share, .warmup_steps = 15};
    options.training.ema_decay = 0.9;
    options.training.optimizer.schedule = LearningRateSchedule::cosine;
    FakeRun whole(options), part(options), resumed(options);
    whole.trainer->run({});
    part.trainer->run({}, 11);

    const auto state = part.trainer->state();
    part.trainer->run({});  // a state must not change while its run goes on
    resumed.trainer->load(state);
    resumed.trainer->run({});

    EXPECT_EQ(test::first_difference(whole.trainer->state(), resumed.trainer->state()), "");
    EXPECT_EQ(test::first_difference(whole.trainer->state(), part.trainer->state()), "");
    EXPECT_EQ(test::first_difference(whole.trainer->averaged(), resumed.trainer->averaged()), "");
  }
}

TEST(Trainer, RefusesStatesOfOtherRuns) {
  FakeRun run({}), plain({.recycle = false}), slots({.training = {.slots = 2, .micro_batch = 4}});

  EXPECT_THROW(run.trainer->load({}), IoError);
  EXPECT_THROW(run.trainer->load(plain.trainer->state()), IoError);
  EXPECT_THROW(run.trainer->load(slots.trainer->state()), IoError);
}

TEST(Trainer, NamesTheSampleWhoseLossIsNotFinite) {
  FakeRun run({.recycle = false});
  run.data.poisoned_step = 2;
  run.data.poisoned_sample = 5;
  run.trainer->run({}, 2);
  const auto before = run.trainer->state();

  try {
    run.trainer->step();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("step 2, sample 5"));
  }
  EXPECT_EQ(test::first_difference(before, run.trainer->state()), "");
}

TEST(Trainer, DropsConditionsAtTheGivenRates) {
  class Watching final : public VelocityModel {
   public:
    explicit Watching(const VelocityModel& inner) : inner_(inner) {}
    at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                        const Condition& condition) const override {
      for (std::int64_t b = 0; b < noisy.size(0); ++b) {
        ++samples;
        no_text +=
            at::equal(condition[part::kText][b], at::full_like(condition[part::kText][b], 9));
        no_image += condition[part::kImage][b].count_nonzero().item<std::int64_t>() == 0;
      }
      return inner_.velocity(noisy, timestep, condition);
    }
    mutable int samples = 0, no_text = 0, no_image = 0;

   private:
    const VelocityModel& inner_;
  };
  FakeRun run({});
  run.data.empty = at::full({2, 3}, 9.0);
  const Watching watching(run.model);
  Trainer trainer({.steps = 200, .slots = 1, .micro_batch = 8, .text_drop = 0.1, .image_drop = 0.4},
                  {watching, run.model.parameters(), run.data, run.collective}, 5,
                  Communicator::self());
  trainer.run({});

  EXPECT_NEAR(watching.no_text / 1600.0, 0.1, 0.03);
  EXPECT_NEAR(watching.no_image / 1600.0, 0.4, 0.05);
}

TEST(Trainer, GeneratesClipsWhenTheSourceWantsThem) {
  FakeRun::Options options;
  options.source = std::make_shared<RolloutError>(
      RolloutError::Config{.every = 5, .batch = 6, .first_step = 2, .chain_probability = 0.5});
  options.injection = {.noise_probability = 1,
                       .latent_probability = 1,
                       .image_probability = 1,
                       .clean_probability = 0};
  FakeRun run(options);
  std::vector<std::int64_t> rollouts;
  std::int64_t image_hits = 0, other_hits = 0;
  run.trainer->run(
      [&](const StepReport& report) {
        rollouts.push_back(report.rollouts);
        image_hits += report.image_hits;
        other_hits += report.noise_hits + report.latent_hits;
      },
      10);

  EXPECT_THAT(rollouts, testing::ElementsAre(0, 0, 6, 0, 0, 0, 0, 6, 0, 0));
  EXPECT_EQ(run.clips.made, 12);
  EXPECT_GT(run.clips.chained, 0);
  EXPECT_LT(run.clips.chained, 6);
  EXPECT_EQ(image_hits, 8 * 8);
  EXPECT_EQ(other_hits, 0);  // one frame is no whole clip
}

TEST(Trainer, LeavesUnusedParametersToWeightDecayAlone) {
  FakeRun run({.recycle = false});
  run.trainer->run({}, 3);

  const auto expected = normal(test::test_key(3), {2}) * 0.1 * std::pow(1 - 1e-2 * 0.01, 3);
  EXPECT_TRUE(at::allclose(run.model.parameters()[3].second, expected, 1e-6));
}

}  // namespace
}  // namespace svi
