#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fakes.hpp"
#include "svi/train/trainable.hpp"

namespace svi {
namespace {

WanDitConfig small_config() {
  return {.in_dim = 2 * test::kC + 4,
          .out_dim = test::kC,
          .dim = 16,
          .ffn_dim = 32,
          .text_dim = 3,
          .text_len = 2,
          .heads = 2,
          .layers = 2};
}

/// Clips of one even size, as the patches of 2 x 2 need it.
class EvenData final : public BatchSource {
 public:
  TrainingBatch batch(std::int64_t step, std::int64_t first, std::int64_t count) override {
    const auto draw = [&](std::int64_t stream, at::IntArrayRef sizes) {
      std::vector<at::Tensor> samples;
      for (auto i = first; i < first + count; ++i)
        samples.push_back(normal(test::test_key(stream + i, step), sizes));
      return at::stack(samples);
    };
    return {
        0.3 * draw(0, {test::kC, 3, 4, 4}),
        {{part::kText, draw(1000, {2, 3})}, {part::kImage, draw(2000, {test::kC + 4, 3, 4, 4})}}};
  }
};

enum class Trained { lora, full };

/// A pocket transformer in training, recycling its errors.
struct DitRun {
  explicit DitRun(Trained trained) : dit(small_config()), policy({}), source({}) {
    dit.initialise(1);
    collective.connect(Communicator::self());
    if (trained == Trained::lora) {
      lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 4}, dit.linears(), 1);
      dit.attach(lora);
    }
    recycler = std::make_unique<Recycler>(
        Recycler::Config{},
        Recycler::Parts{source, policy,
                        [] { return std::make_unique<TimeGridBank>(TimeGridBank::Config{}); }},
        5, 2, 2, Communicator::self());
    trainer = std::make_unique<Trainer>(
        Trainer::Config{
            .steps = 60, .slots = 2, .micro_batch = 2, .optimizer = {.learning_rate = 3e-3}},
        Trainer::Parts{dit, lora ? trainable(*lora) : trainable(dit), data, collective,
                       recycler.get()},
        5, Communicator::self());
  }

  WanDit dit;
  std::shared_ptr<Lora> lora;
  EvenData data;
  BernoulliInjection policy;
  OneStepError source;
  MpiCollective collective;
  std::unique_ptr<Recycler> recycler;
  std::unique_ptr<Trainer> trainer;
};

TEST(TrainerDit, LearnsInBothModes) {
  for (const auto trained : {Trained::lora, Trained::full}) {
    DitRun run(trained);
    double first = 0, last = 0;
    run.trainer->run([&](const StepReport& report) {
      if (report.step < 20) first += report.unweighted_loss;
      if (report.step >= 40) last += report.unweighted_loss;
    });

    EXPECT_LT(last, first);
  }
}

TEST(TrainerDit, MovesTheAdaptersAndNothingElse) {
  DitRun run(Trained::lora);
  NamedTensors before;
  for (const auto& [name, tensor] : run.dit.parameters()) before.emplace_back(name, tensor.clone());
  const auto adapters = run.lora->flat().clone();

  run.trainer->run({}, 3);

  EXPECT_EQ(test::first_difference(before, run.dit.parameters()), "");
  EXPECT_FALSE(at::equal(adapters, run.lora->flat()));
  EXPECT_EQ(run.lora->flat_grad().count_nonzero().item<std::int64_t>(), 0);
}

TEST(TrainerDit, ResumesBitForBit) {
  for (const auto trained : {Trained::lora, Trained::full}) {
    DitRun whole(trained), part(trained), resumed(trained);
    whole.trainer->run({}, 10);
    part.trainer->run({}, 4);
    resumed.trainer->load(part.trainer->state());
    resumed.trainer->run({}, 10);

    EXPECT_EQ(test::first_difference(whole.trainer->state(), resumed.trainer->state()), "");
  }
}

}  // namespace
}  // namespace svi
