#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "fakes.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/error/gaussian.hpp"
#include "svi/error/recorded.hpp"
#include "svi/error/rollout.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/tensor/error_records.hpp"

namespace svi {
namespace {

using test::FakeClips;
using test::FakeRun;
using test::kC;
using test::kF;
using test::kH;
using test::kW;

FakeRun::Options on_policy(RolloutError::Config source, std::int64_t slots = 4) {
  FakeRun::Options options;
  options.training = {.steps = 30, .slots = slots, .micro_batch = 2};
  options.bank = {.bins = 1, .capacity = 500, .storage = StorageType::fp32};
  options.source = std::make_shared<RolloutError>(source);
  return options;
}

TEST(Rollouts, AreOneBatchPerSlot) {
  FakeRun one(on_policy({.every = 1, .batch = 6}, 1)), four(on_policy({.every = 1, .batch = 6}, 4)),
      many(on_policy({.every = 1, .batch = 3}, 4));
  for (auto* run : {&one, &four, &many}) run->trainer->run({}, 1);

  EXPECT_EQ(one.clips.batches, 1);
  EXPECT_EQ(four.clips.batches, 4);  // of 2, 2, 1 and 1 clips
  EXPECT_EQ(many.clips.batches, 3);  // one slot has no clip
  EXPECT_EQ(one.clips.made, 6);
}

TEST(Rollouts, AreTheSameWhateverTheBatchesAre) {
  const RolloutError::Config source{.every = 2, .batch = 6, .chain_probability = 0.7};
  FakeRun one(on_policy(source, 1)), three(on_policy(source, 3));
  MpiCollective collective;
  collective.connect(Communicator::self());
  for (std::int64_t step = 0; step < 20; ++step) {
    for (auto* run : {&one, &three}) run->recycler->run_rollouts(step, run->clips, collective);
  }

  EXPECT_EQ(test::first_difference(one.recycler->state(), three.recycler->state()), "");
  EXPECT_GT(one.clips.chained, 20);
}

/// Errors of a run by depth, with the RMS of each.
std::map<std::int64_t, std::vector<double>> by_depth(const Recycler& recycler) {
  std::map<std::int64_t, std::vector<double>> found;
  for (const auto& error : recycler.errors())
    found[error.depth].push_back(error.at(ErrorEnd::data).square().mean().sqrt().item<double>());
  return found;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST(Rollouts, CountTheErrorsBehindAnErrorWhichGrowsWithThem) {
  FakeRun run(on_policy({.every = 1, .batch = 6, .chain_probability = 0.9}));
  run.trainer->run({});
  const auto errors = by_depth(*run.recycler);

  // Each clip adds independent noise of RMS 0.1 to what it carries: 0.1 sqrt(depth + 1) in all.
  ASSERT_GT(errors.size(), 5u);
  for (const auto& [depth, values] : errors) {
    if (values.size() < 10) continue;
    EXPECT_NEAR(mean(values), 0.1 * std::sqrt(depth + 1.0), 0.02 * std::sqrt(depth + 1.0)) << depth;
  }
  double depths = 0;
  for (const auto& [depth, values] : errors) depths += double(depth) * double(values.size());
  EXPECT_NEAR(run.recycler->statistics().mean_depth, depths / (30 * 6), 1e-9);
}

TEST(Rollouts, CarryNoErrorThatIsDeeperThanAllowed) {
  FakeRun run(on_policy({.every = 1, .batch = 6, .chain_probability = 1, .max_depth = 2}));
  run.trainer->run({});
  const auto errors = by_depth(*run.recycler);

  // An error of depth 2 is still carried and makes one of depth 3; that one is not.
  EXPECT_EQ(errors.rbegin()->first, 3);
  // Clips that met one of depth 3 began without any: a tenth of all at least, not step 0 alone.
  EXPECT_GT(errors.at(0).size(), 18u);
}

TEST(Recycler, HoldsRecordedErrorsBeforeTheFirstStepAndNoOthersLater) {
  const TemporaryFolder folder;
  FakeRun first(on_policy({.every = 1, .batch = 6}));
  first.trainer->run({}, 5);
  save_safetensors(folder / "bank.safetensors", pack_errors(first.recycler->errors()));
  auto options = on_policy({});
  options.source =
      std::make_shared<RecordedError>(RecordedError::Config{.path = folder / "bank.safetensors"});
  FakeRun second(options);

  second.recycler->preload({kC, kF, kH, kW});
  const auto before = second.recycler->state();
  second.trainer->run({}, 3);

  EXPECT_EQ(second.recycler->statistics().entries, 30);
  EXPECT_EQ(test::first_difference(before, second.recycler->state()), "");
  EXPECT_THROW(second.recycler->preload({kC, kF, kH, kW + 1}), IoError);
}

TEST(Recycler, GivesEachErrorOfAllSlotsOnce) {
  for (const auto share : {BankSharing::all, BankSharing::warmup, BankSharing::none}) {
    FakeRun::Options options;
    options.recycling = {.share = share, .warmup_steps = 3, .clean_bank_probability = 1};
    options.bank = {.bins = 4, .capacity = 500};
    FakeRun run(options);
    run.trainer->run({}, 6);

    std::vector<std::pair<std::int64_t, std::int64_t>> places, expected;
    for (const auto& error : run.recycler->errors()) places.emplace_back(error.step, error.sample);
    for (std::int64_t step = 0; step < 6; ++step) {
      for (std::int64_t sample = 0; sample < 8; ++sample) expected.emplace_back(step, sample);
    }
    EXPECT_EQ(places, expected);
  }
}

TEST(Recycler, GivesSourcesTheRunsOwnDraws) {
  FakeRun::Options options;
  options.recycling.clean_bank_probability = 1;
  options.bank = {.bins = 1, .capacity = 500, .storage = StorageType::fp32};
  options.source = std::make_shared<FixedGaussianError>(FixedGaussianError::Config{});
  FakeRun run(options);
  run.trainer->run({}, 2);

  for (const auto& error : run.recycler->errors()) {
    const RandomKey key{test::kSeed, Purpose::error_source,
                        static_cast<std::uint32_t>(error.sample),
                        static_cast<std::uint32_t>(error.step)};
    EXPECT_TRUE(at::equal(error.residual, normal(key, {kC, kF, kH, kW})));
  }
}

}  // namespace
}  // namespace svi
