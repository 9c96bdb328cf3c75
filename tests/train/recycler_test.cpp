#include "svi/train/recycler.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "fakes.hpp"
#include "plain_erft.hpp"
#include "svi/core/check.hpp"
#include "svi/error/residual.hpp"
#include "svi/injection/scheduled.hpp"

namespace svi {
namespace {

using test::Batch;
using test::kBatch;
using test::kC;
using test::kF;
using test::kH;
using test::kSeed;
using test::kSteps;
using test::kW;
using test::make_batch;
using test::PlainErft;
using test::Switches;

TEST(Recycler, TellsWhatTheBankOfThePublishedRecipeTakes) {
  const OneStepError plain({}), offsets({.definition = ErrorDefinition::clean});
  const BernoulliInjection policy({});
  const auto report = [&](const ErrorSource& source, BankSharing share) {
    const Recycler recycler(
        {.share = share},
        {source, policy, [] { return std::make_unique<TimeGridBank>(TimeGridBank::Config{}); }},
        kSeed, 8, 1, Communicator::self());
    return recycler.memory_report({16, 21, 60, 104});
  };

  EXPECT_EQ(report(plain, BankSharing::all),
            "one bank per rank, each of at most 25000 errors, 97.6 GiB (104832000000 bytes)");
  EXPECT_EQ(report(plain, BankSharing::none),
            "8 banks, one per slot, each of at most 25000 errors, 97.6 GiB (104832000000 bytes)");
  EXPECT_EQ(report(offsets, BankSharing::all),
            "one bank per rank, each of at most 25000 errors, 293 GiB (314496000000 bytes)");
}

/// Runs both side by side; returns how many samples were hit by latent, noise and image errors.
std::array<int, 3> expect_equal_to_plain(const Switches& switches) {
  MpiCollective collective;
  collective.connect(Communicator::self());
  const OneStepError source(switches.source);
  const BernoulliInjection policy(switches.injection);
  const TimeGridBank::Config bank{
      .bins = switches.bins, .capacity = switches.capacity, .storage = StorageType::fp32};
  Recycler recycler(switches.recycling,
                    {source, policy, [&] { return std::make_unique<TimeGridBank>(bank); }}, kSeed,
                    1, kBatch, Communicator::self());
  PlainErft plain(switches);
  std::array<int, 3> hits{};
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const auto batch = make_batch(step);
    const BatchPlace place{step, kSteps, 0, 0};
    const auto ours = recycler.inject(place, batch.view());
    std::vector<PlainErft::Sample> samples;
    for (std::int64_t b = 0; b < kBatch; ++b) {
      samples.push_back(plain.inject(step, b, batch));
      const auto& expected = samples.back();
      const auto& record = ours.samples[static_cast<std::size_t>(b)];
      EXPECT_TRUE(at::allclose(ours.noisy[b], expected.noisy, 1e-5, 1e-5)) << "step " << step;
      EXPECT_TRUE(at::allclose(ours.target[b], expected.target, 1e-5, 1e-5)) << "step " << step;
      EXPECT_TRUE(at::allclose(ours.image[b], expected.image, 1e-5, 1e-5)) << "step " << step;
      EXPECT_EQ(record.clean, expected.clean);
      EXPECT_EQ(record.latent_hit, expected.latent_error.count_nonzero().item<std::int64_t>() > 0);
      EXPECT_EQ(record.noise_hit, expected.noise_error.count_nonzero().item<std::int64_t>() > 0);
      EXPECT_EQ(record.image_hit, !at::equal(expected.image, batch.image[b]));
      hits[0] += record.latent_hit;
      hits[1] += record.noise_hit;
      hits[2] += record.image_hit;
    }
    const auto predicted = test::predict(ours.noisy, ours.target, step);
    recycler.collect(place, batch.view(), ours, predicted);
    recycler.finish_step(step, collective);
    plain.learn(step, batch, samples, predicted);
  }
  return hits;
}

const BernoulliInjection::Config kOften{.noise_probability = 0.6,
                                        .latent_probability = 0.7,
                                        .image_probability = 0.8,
                                        .clean_probability = 0.2};

TEST(Recycler, EqualsThePlainStepWithShotDefaults) {
  const auto hits = expect_equal_to_plain({});
  EXPECT_GT(hits[0], 50);
  EXPECT_GT(hits[2], 50);
}

TEST(Recycler, EqualsThePlainStepWithAllTargets) {
  const auto hits = expect_equal_to_plain({.injection = kOften});
  for (const auto count : hits) EXPECT_GT(count, 30);
}

TEST(Recycler, EqualsThePlainStepWithEachTargetAlone) {
  for (int target = 0; target < 3; ++target) {
    Switches switches;
    switches.injection = {.noise_probability = target == 1 ? 0.9 : 0,
                          .latent_probability = target == 0 ? 0.9 : 0,
                          .image_probability = target == 2 ? 0.9 : 0};
    const auto hits = expect_equal_to_plain(switches);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(hits[static_cast<std::size_t>(i)] > 0, i == target);
  }
}

TEST(Recycler, EqualsThePlainStepWithErrorsAgainstTheCleanTensors) {
  expect_equal_to_plain({.injection = kOften, .source = {.definition = ErrorDefinition::clean}});
  expect_equal_to_plain(
      {.injection = kOften, .source = {.definition = ErrorDefinition::clean, .scale = 0.5}});
}

TEST(Recycler, EqualsThePlainStepWithScalesAndModulation) {
  for (const auto kind : {ScaleKind::constant, ScaleKind::uniform, ScaleKind::log_uniform}) {
    Switches switches{.injection = kOften};
    switches.injection.noise_scale = {kind, 0.5, 2};
    switches.injection.latent_scale = {kind, 0.1, 0.4};
    switches.injection.image_scale = {kind, 0.1, 6};
    switches.injection.modulation = 0.3;
    expect_equal_to_plain(switches);
  }
}

TEST(Recycler, EqualsThePlainStepAtEveryPlaceAndNumberOfFrames) {
  for (const auto place : {ImagePlace::last, ImagePlace::uniform}) {
    for (const std::int64_t frames : {1, 2, 3, 9}) {
      Switches switches{.injection = kOften};
      switches.injection.image_place = place;
      switches.injection.image_frames = frames;
      expect_equal_to_plain(switches);
    }
  }
}

TEST(Recycler, EqualsThePlainStepInEveryScope) {
  for (const auto scope :
       {RecallScope::same_bin, RecallScope::all_bins, RecallScope::sigma_range}) {
    Switches switches{.injection = kOften};
    switches.injection.image_scope = scope;
    switches.injection.image_sigma_low = 0.2;
    switches.injection.image_sigma_high = 0.7;
    EXPECT_GT(expect_equal_to_plain(switches)[2], 10);
  }
}

TEST(Recycler, EqualsThePlainStepUnderEveryCleanRule) {
  for (const double clean : {0.0, 0.5, 1.0}) {
    for (const double keep : {0.0, 0.1, 1.0}) {
      Switches switches{.injection = kOften, .recycling = {.clean_bank_probability = keep}};
      switches.injection.clean_probability = clean;
      const auto hits = expect_equal_to_plain(switches);
      if (clean == 1) {
        EXPECT_EQ(hits[0] + hits[1] + hits[2], 0);
      }
    }
  }
}

/// A recycler around one bank filled by one perfect or imperfect step.
struct Fixture {
  explicit Fixture(BernoulliInjection::Config injection,
                   ErrorDefinition definition = ErrorDefinition::reference)
      : source({.definition = definition}),
        policy(injection),
        recycler({.clean_bank_probability = 1},
                 {source, policy,
                  [this] {
                    auto made = std::make_unique<TimeGridBank>(
                        TimeGridBank::Config{.bins = 1, .storage = StorageType::fp32});
                    bank = made.get();
                    return made;
                  }},
                 kSeed, 1, kBatch, Communicator::self()) {
    collective.connect(Communicator::self());
  }

  RecycledBatch step(std::int64_t index, const Batch& batch, double imperfection) {
    const BatchPlace place{index, kSteps, 0, 0};
    const auto recycled = recycler.inject(place, batch.view());
    const auto wrong = normal(test::test_key(77, index), batch.latent.sizes()) * imperfection;
    recycler.collect(place, batch.view(), recycled, recycled.target + wrong);
    recycler.finish_step(index, collective);
    return recycled;
  }

  OneStepError source;
  BernoulliInjection policy;
  TimeGridBank* bank = nullptr;
  Recycler recycler;
  MpiCollective collective;
};

const BernoulliInjection::Config kAlways{.noise_probability = 1,
                                         .latent_probability = 1,
                                         .image_probability = 1,
                                         .clean_probability = 0};

TEST(Recycler, LeadsTheTargetToTheRecycledEndPoints) {
  Fixture fixture(kAlways);
  fixture.step(0, make_batch(0), 1);
  const auto batch = make_batch(1);
  const auto seen = fixture.step(1, batch, 1);
  const auto sigma = batch.sigma.view({-1, 1, 1, 1, 1});

  const auto x_ref = seen.noisy - sigma * seen.target;
  const auto n_ref = seen.noisy + (1 - sigma) * seen.target;

  ASSERT_TRUE(seen.latent_error.defined() && seen.noise_error.defined());
  EXPECT_TRUE(at::allclose(x_ref, batch.latent + (1 - sigma) * seen.latent_error, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(n_ref, batch.noise + seen.noise_error + (1 - sigma) * seen.latent_error,
                           1e-5, 1e-5));
}

TEST(Recycler, BanksZerosOfAPerfectModelWhateverIsInjected) {
  Fixture fixture(kAlways);
  fixture.step(0, make_batch(0), 1);
  const auto before = fixture.bank->statistics();
  const auto seen = fixture.step(1, make_batch(1), 0);

  const auto state = fixture.bank->state();
  EXPECT_TRUE(seen.latent_error.defined());
  EXPECT_GT(before.mean_rms[0], 0.5);
  for (std::size_t i = state.size() - kBatch; i < state.size(); ++i) {
    EXPECT_EQ(state[i].second.count_nonzero().item<std::int64_t>(), 0) << state[i].first;
  }
}

TEST(Recycler, LeavesEverythingAloneWhileTheBankIsEmpty) {
  Fixture fixture(kAlways);
  const auto batch = make_batch(0);
  const auto seen = fixture.step(0, batch, 1);
  const auto sigma = batch.sigma.view({-1, 1, 1, 1, 1});

  EXPECT_FALSE(seen.latent_error.defined());
  EXPECT_TRUE(at::equal(seen.image, batch.image));
  EXPECT_TRUE(at::equal(seen.target, batch.noise - batch.latent));
  EXPECT_TRUE(
      at::allclose(seen.noisy, (1 - sigma) * batch.latent + sigma * batch.noise, 1e-6, 1e-6));
}

TEST(Recycler, NeverTouchesTheMaskTheLaterFramesOrItsInput) {
  Fixture fixture({.noise_probability = 0,
                   .latent_probability = 0,
                   .image_probability = 1,
                   .clean_probability = 0,
                   .image_frames = 1});
  fixture.step(0, make_batch(0), 1);
  const auto batch = make_batch(1);
  const auto seen = fixture.step(1, batch, 1);

  EXPECT_TRUE(at::equal(batch.image, make_batch(1).image));
  EXPECT_TRUE(at::equal(seen.image.narrow(1, 0, 4), batch.image.narrow(1, 0, 4)));
  EXPECT_TRUE(at::equal(seen.image.narrow(2, 1, kF - 1), batch.image.narrow(2, 1, kF - 1)));
  EXPECT_FALSE(at::equal(seen.image, batch.image));
}

TEST(Recycler, PassesOverDroppedConditions) {
  Fixture fixture(kAlways);
  fixture.step(0, make_batch(0), 1);
  const auto batch = make_batch(1);
  auto view = batch.view();
  view.image_dropped = {false, true, false};

  const auto seen = fixture.recycler.inject({1, kSteps, 0, 0}, view);

  EXPECT_TRUE(seen.samples[0].image_hit);
  EXPECT_FALSE(seen.samples[1].image_hit);
  EXPECT_TRUE(at::equal(seen.image[1], batch.image[1]));
}

TEST(Recycler, TrainsTextToVideoWithoutAnImage) {
  Fixture fixture(kAlways);
  fixture.step(0, make_batch(0), 1);
  auto batch = make_batch(1);
  batch.image = at::Tensor();

  const auto seen = fixture.step(1, batch, 1);

  EXPECT_FALSE(seen.image.defined());
  EXPECT_TRUE(seen.samples[0].latent_hit);
  EXPECT_FALSE(seen.samples[0].image_hit);
}

TEST(Recycler, KeepsThePowerOfErrorsWhoseStructureItBreaks) {
  const auto errors_of = [](ErrorStructure structure) {
    MpiCollective collective;
    collective.connect(Communicator::self());
    const OneStepError source({});
    const BernoulliInjection policy({.noise_probability = 0,
                                     .latent_probability = 1,
                                     .image_probability = 0,
                                     .clean_probability = 0,
                                     .structure = structure});
    Recycler recycler({},
                      {source, policy,
                       [] {
                         return std::make_unique<TimeGridBank>(
                             TimeGridBank::Config{.bins = 1, .storage = StorageType::fp32});
                       }},
                      kSeed, 1, kBatch, Communicator::self());
    const auto batch = make_batch(0);
    const auto first = recycler.inject({0, kSteps, 0, 0}, batch.view());
    recycler.collect({0, kSteps, 0, 0}, batch.view(), first,
                     test::predict(first.noisy, first.target, 0));
    recycler.finish_step(0, collective);
    return recycler.inject({1, kSteps, 0, 0}, make_batch(1).view()).latent_error;
  };
  const auto intact = errors_of(ErrorStructure::intact);
  ASSERT_TRUE(intact.defined());

  for (const auto structure : {ErrorStructure::shuffled, ErrorStructure::gaussian}) {
    const auto broken = errors_of(structure);

    EXPECT_FALSE(at::allclose(broken, intact, 1e-3, 1e-3));
    EXPECT_TRUE(
        at::allclose(broken.square().mean({2, 3, 4}), intact.square().mean({2, 3, 4}), 1e-5, 1e-7));
  }
}

TEST(Recycler, NamesAnErrorThatDoesNotFit) {
  Fixture fixture(kAlways);
  BankedError wide;
  wide.residual = at::ones({kC, kF, kH, kW + 1});
  wide.data_gain = 1;
  fixture.bank->store(wide, {});

  EXPECT_THROW(fixture.step(0, make_batch(0), 1), Error);
}

}  // namespace
}  // namespace svi
