#include <gtest/gtest.h>

#include "fakes.hpp"
#include "support/captured_log.hpp"
#include "svi/core/check.hpp"
#include "svi/error/rollout.hpp"
#include "svi/error/shuffled.hpp"
#include "svi/tensor/error_records.hpp"

namespace svi {
namespace {

using test::FakeRun;

/// Reports of a whole run as one comparable tensor, and its final state.
struct Outcome {
  at::Tensor curve;
  NamedTensors state;
};

Outcome run(const FakeRun::Options& options, const Communicator& group) {
  FakeRun fake(options, group);
  std::vector<double> numbers;
  fake.trainer->run([&](const StepReport& report) {
    numbers.insert(numbers.end(), {report.loss, report.unweighted_loss, report.gradient_norm,
                                   double(report.clean), double(report.noise_hits),
                                   double(report.latent_hits), double(report.image_hits)});
  });
  return {at::tensor(numbers, at::kDouble), fake.trainer->state()};
}

void expect_independent_of_ranks(const FakeRun::Options& options) {
  const auto alone = run(options, Communicator::self());
  const auto together = run(options, Communicator::world());

  EXPECT_TRUE(at::equal(alone.curve, together.curve));
  EXPECT_EQ(test::first_difference(alone.state, together.state), "");
}

TEST(TrainerMpi, GivesTheSameBitsOnAnyNumberOfRanks) {
  for (const auto share : {BankSharing::all, BankSharing::warmup, BankSharing::none}) {
    FakeRun::Options options;
    options.recycling = {.share = share, .warmup_steps = 8};
    options.bank.eviction = Eviction::nearest;

    expect_independent_of_ranks(options);
  }
}

TEST(TrainerMpi, GivesTheSameBitsWhereFramesHaveTimesOfTheirOwn) {
  for (const auto times : {FrameTimes::independent, FrameTimes::rolling}) {
    FakeRun::Options options;
    options.recycle = false;
    options.training.frame_times = times;

    expect_independent_of_ranks(options);
  }
}

TEST(TrainerMpi, GivesTheSameBitsWithUnevenShares) {
  for (const std::int64_t slots : {1, 3, 5}) {
    FakeRun::Options options;
    options.training = {.steps = 8, .slots = slots, .micro_batch = 1};
    options.source =
        std::make_shared<OneStepError>(OneStepError::Config{.definition = ErrorDefinition::clean});

    expect_independent_of_ranks(options);
  }
}

TEST(TrainerMpi, GivesTheSameBitsWithRollouts) {
  for (const auto share : {BankSharing::all, BankSharing::none}) {
    FakeRun::Options options;
    options.recycling.share = share;
    options.source = std::make_shared<RolloutError>(
        RolloutError::Config{.every = 3, .batch = 5, .chain_probability = 0.8, .max_depth = 2});

    expect_independent_of_ranks(options);
  }
}

TEST(TrainerMpi, GivesTheSameBitsWithShuffledErrors) {
  FakeRun::Options options;
  options.source = std::make_shared<ShuffledError>(ShuffledError::Config{});
  options.bank.remove_mean = BankMean::bin;

  expect_independent_of_ranks(options);
}

TEST(TrainerMpi, KeepsTheSameBankOnAnyNumberOfRanks) {
  for (const auto share : {BankSharing::all, BankSharing::warmup, BankSharing::none}) {
    FakeRun::Options options;
    options.recycling = {.share = share, .warmup_steps = 8};
    FakeRun alone(options), together(options, Communicator::world());
    for (auto* run : {&alone, &together}) run->trainer->run({});

    EXPECT_EQ(test::first_difference(pack_errors(alone.recycler->errors()),
                                     pack_errors(together.recycler->errors())),
              "");
  }
}

TEST(TrainerMpi, ResumesOnAnotherNumberOfRanks) {
  for (const auto share : {BankSharing::all, BankSharing::none}) {
    FakeRun::Options options;
    options.recycling.share = share;
    FakeRun whole(options), part(options, Communicator::world());
    whole.trainer->run({});
    part.trainer->run({}, 10);
    const auto state = part.trainer->state();

    FakeRun alone(options), together(options, Communicator::world());
    alone.trainer->load(state);
    alone.trainer->run({});
    together.trainer->load(state);
    together.trainer->run({});

    EXPECT_EQ(test::first_difference(whole.trainer->state(), alone.trainer->state()), "");
    EXPECT_EQ(test::first_difference(whole.trainer->state(), together.trainer->state()), "");
  }
}

std::int64_t own_bytes_of_all(const FakeRun& run, const Communicator& world) {
  std::int64_t sum = 0;
  for (const auto& text : world.all_gather(std::to_string(run.recycler->statistics().own_bytes)))
    sum += std::stoll(text);
  return sum;
}

TEST(TrainerMpi, KeepsTheCommonBankOncePerNode) {
  const auto world = Communicator::world();
  for (const auto eviction : {Eviction::random, Eviction::nearest}) {
    FakeRun::Options options;
    options.bank.eviction = eviction;
    options.source =
        std::make_shared<OneStepError>(OneStepError::Config{.definition = ErrorDefinition::clean});
    FakeRun once(options, world);
    options.recycling.copies = BankCopies::rank;
    FakeRun each(options, world);
    for (auto* run : {&once, &each}) run->trainer->run({});
    const auto bytes = once.recycler->statistics().bytes;

    EXPECT_GT(once.recycler->statistics().evicted, 0);
    EXPECT_EQ(own_bytes_of_all(once, world), bytes);
    EXPECT_EQ(own_bytes_of_all(each, world), bytes * world.size());
    EXPECT_EQ(test::first_difference(once.trainer->state(), each.trainer->state()), "");

    // As after a checkpoint.
    FakeRun resumed(options, world);
    options.recycling.copies = BankCopies::node;
    FakeRun shared(options, world);
    for (auto* run : {&resumed, &shared}) run->trainer->load(once.trainer->state());
    EXPECT_EQ(own_bytes_of_all(shared, world), bytes);
    EXPECT_EQ(test::first_difference(shared.trainer->state(), once.trainer->state()), "");
  }
}

TEST(TrainerMpi, GivesTheSameBitsWithinABudgetOfBytes) {
  FakeRun::Options options;
  options.bank.byte_budget = 0.003;  // some errors of residual and offsets, others of less
  options.source =
      std::make_shared<OneStepError>(OneStepError::Config{.definition = ErrorDefinition::clean});

  expect_independent_of_ranks(options);
}

TEST(TrainerMpi, WarnsOfTheCommonBanksBudgetOnItsNodesFirstRank) {
  const auto world = Communicator::world();
  FakeRun::Options options;
  options.bank.byte_budget = 0.003;
  options.source =
      std::make_shared<OneStepError>(OneStepError::Config{.definition = ErrorDefinition::clean});
  for (const auto copies : {BankCopies::node, BankCopies::rank}) {
    options.recycling.copies = copies;
    std::string logged;
    {
      const CapturedLog log;
      FakeRun(options, world).trainer->run({});
      logged = log.text();
    }
    const auto texts = world.all_gather(logged);

    for (std::size_t rank = 0; rank < texts.size(); ++rank) {
      const bool warned = texts[rank].find("byte_budget = 0.003 MiB is full") != std::string::npos;
      EXPECT_EQ(warned, rank == 0 || copies == BankCopies::rank) << "rank " << rank;
    }
  }
}

TEST(TrainerMpi, FailsAlikeOnAllRanksWhenOneLossIsNotFinite) {
  FakeRun fake({}, Communicator::world());
  fake.data.poisoned_step = 1;
  fake.data.poisoned_sample = 7;
  fake.trainer->step();

  EXPECT_THROW(fake.trainer->step(), Error);
}

}  // namespace
}  // namespace svi
