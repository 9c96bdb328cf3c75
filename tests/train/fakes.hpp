#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "svi/error/one_step.hpp"
#include "svi/injection/bernoulli.hpp"
#include "svi/memory/time_grid.hpp"
#include "svi/parallel/mpi_collective.hpp"
#include "svi/tensor/random.hpp"
#include "svi/train/trainer.hpp"

namespace svi::test {

inline constexpr std::int64_t kC = 2, kF = 3, kH = 4, kW = 5;  // one latent
inline constexpr std::uint64_t kSeed = 17;

inline RandomKey test_key(std::int64_t stream, std::int64_t step = 0) {
  return {3, Purpose::test, static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(step)};
}

/// A linear map of noisy latent and condition, with a bias that grows with time and one per text.
class FakeModel final : public VelocityModel {
 public:
  FakeModel() {
    const auto add = [&](const std::string& name, at::IntArrayRef sizes) {
      auto tensor = normal(test_key(static_cast<std::int64_t>(parameters_.size())), sizes) * 0.1;
      parameters_.emplace_back(name, tensor.requires_grad_(true));
    };
    add("mix", {kC, 2 * kC + 4});
    add("time", {kC});
    add("text", {kC, 3});
    add("unused", {2});
  }

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto input =
        at::cat({noisy, condition[part::kImage]}, 1).movedim(1, -1);  // [B, F, h, w, 2C+4]
    const auto mixed =
        at::matmul(input, parameters_[0].second.t()).movedim(-1, 1);  // [B, C, F, h, w]
    const auto text =
        at::matmul(condition[part::kText].mean(1), parameters_[2].second.t());  // [B, C]
    // [B, C, 1 or F, 1, 1]: one time, or one for each frame.
    const auto time = (timestep / 1000).view({noisy.size(0), 1, -1, 1, 1});
    return mixed +
           (time * parameters_[1].second.view({1, kC, 1, 1, 1}) + text.view({-1, kC, 1, 1, 1}));
  }

  const NamedTensors& parameters() const { return parameters_; }

 private:
  NamedTensors parameters_;
};

/// Random latents and conditions, each a function of step and sample.
class FakeData final : public BatchSource {
 public:
  TrainingBatch batch(std::int64_t step, std::int64_t first, std::int64_t count) override {
    std::vector<at::Tensor> latents, texts, images;
    for (auto sample = first; sample < first + count; ++sample) {
      latents.push_back(normal(test_key(10 + sample, step), {kC, kF, kH, kW}));
      texts.push_back(normal(test_key(1000 + sample, step), {2, 3}));
      images.push_back(normal(test_key(2000 + sample, step), {4 + kC, kF, kH, kW}));
    }
    if (step == poisoned_step && poisoned_sample >= first && poisoned_sample < first + count) {
      latents[static_cast<std::size_t>(poisoned_sample - first)].fill_(std::nan(""));
    }
    return {at::stack(latents),
            {{part::kText, at::stack(texts)}, {part::kImage, at::stack(images)}}};
  }
  at::Tensor empty_text() override { return empty; }

  std::int64_t poisoned_step = -1, poisoned_sample = -1;
  at::Tensor empty;
};

/// Condition latents that depend on step, index and what was carried over.
class FakeClips final : public ClipGenerator {
 public:
  GeneratedClips generate(std::int64_t step, const std::vector<CarriedStart>& starts) override {
    ++batches;
    std::vector<at::Tensor> truths, generated;
    for (const auto& start : starts) {
      ++made;
      truths.push_back(normal(test_key(5000 + start.index, step), {kC, 1, kH, kW}));
      generated.push_back(truths.back() +
                          0.1 * normal(test_key(6000 + start.index, step), {kC, 1, kH, kW}));
      if (!start.carried.defined()) continue;
      ++chained;
      generated.back() = generated.back() + start.carried.narrow(1, 0, 1);
    }
    return {at::stack(truths), at::stack(generated)};
  }

  int batches = 0;
  int made = 0, chained = 0;
};

/// Everything a training run needs, wired together.
struct FakeRun {
  struct Options {
    Trainer::Config training{.steps = 24, .slots = 4, .micro_batch = 2};
    Recycler::Config recycling = {};
    BernoulliInjection::Config injection{.noise_probability = 0.5};
    TimeGridBank::Config bank{.bins = 4, .capacity = 5};
    std::shared_ptr<ErrorSource> source = nullptr;
    bool recycle = true;
  };

  explicit FakeRun(Options options, const Communicator& group = Communicator::self())
      : source(options.source ? options.source
                              : std::make_shared<OneStepError>(OneStepError::Config{})),
        policy(options.injection) {
    collective.connect(group);
    const auto bank = options.bank;
    if (options.recycle) {
      recycler = std::make_unique<Recycler>(
          options.recycling,
          Recycler::Parts{*source, policy, [bank] { return std::make_unique<TimeGridBank>(bank); }},
          kSeed, options.training.slots, options.training.micro_batch, group);
    }
    options.training.optimizer.learning_rate = 1e-2;
    trainer = std::make_unique<Trainer>(
        options.training,
        Trainer::Parts{model, model.parameters(), data, collective, recycler.get(), &clips}, kSeed,
        group);
  }

  FakeModel model;
  FakeData data;
  FakeClips clips;
  MpiCollective collective;
  std::shared_ptr<ErrorSource> source;
  BernoulliInjection policy;
  std::unique_ptr<Recycler> recycler;
  std::unique_ptr<Trainer> trainer;
};

/// Name of the first tensor that differs in bits, or empty.
inline std::string first_difference(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size())
    return "number of tensors: " + std::to_string(a.size()) + " vs " + std::to_string(b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].first != b[i].first) return a[i].first + " vs " + b[i].first;
    if (a[i].second.scalar_type() != b[i].second.scalar_type() ||
        !at::equal(a[i].second, b[i].second))
      return a[i].first;
  }
  return {};
}

}  // namespace svi::test
