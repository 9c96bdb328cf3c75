// One LoRA training step of the pocket transformer, plain and with error recycling at several bank
// fills.
//
//   erft_step_bench [--steps N] [--rounds N] [--out FILE.json]
//
// Arms take turns within one run, so that a loaded machine slows all of them alike. Prints medians
// of processor seconds per step and their ratio to the plain step.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/error/one_step.hpp"
#include "svi/injection/bernoulli.hpp"
#include "svi/memory/time_grid.hpp"
#include "svi/parallel/mpi_collective.hpp"
#include "svi/tensor/random.hpp"
#include "svi/train/trainable.hpp"
#include "svi/train/trainer.hpp"

namespace {

constexpr std::int64_t kBatch = 16, kChannels = 16, kFrames = 5, kSide = 8;

at::Tensor gaussian(std::uint32_t stream, at::IntArrayRef sizes) {
  return svi::normal({1, svi::Purpose::test, stream, 0}, sizes);
}

class FixedData final : public svi::BatchSource {
 public:
  svi::TrainingBatch batch(std::int64_t, std::int64_t, std::int64_t) override {
    return {latent_, {{svi::part::kText, text_}, {svi::part::kImage, image_}}};
  }

 private:
  at::Tensor latent_ = gaussian(1, {kBatch, kChannels, kFrames, kSide, kSide});
  at::Tensor text_ = gaussian(2, {kBatch, 24, 64});
  at::Tensor image_ = gaussian(3, {kBatch, 4 + kChannels, kFrames, kSide, kSide});
};

/// One arm: its own transformer, adapters, bank and trainer.
struct Arm {
  Arm(std::string label, std::int64_t entries, svi::Eviction eviction)
      : name(std::move(label)),
        dit({.in_dim = 2 * kChannels + 4,
             .out_dim = kChannels,
             .dim = 128,
             .ffn_dim = 512,
             .text_dim = 64,
             .text_len = 24,
             .heads = 4,
             .layers = 5}),
        source({}),
        policy({}) {
    dit.initialise(1);
    lora = std::make_shared<svi::Lora>(svi::LoraConfig{.rank = 32, .alpha = 32}, dit.linears(), 1);
    dit.attach(lora);
    const auto group = svi::Communicator::self();
    collective.connect(group);
    if (entries >= 0) {
      const auto make = [&]() -> std::unique_ptr<svi::MemoryBank> {
        auto bank =
            std::make_unique<svi::TimeGridBank>(svi::TimeGridBank::Config{.eviction = eviction});
        for (std::int64_t i = 0; i < entries; ++i) {
          svi::BankedError error;
          error.residual = at::randn({kChannels, kFrames, kSide, kSide});
          error.sigma = svi::uniform({2, svi::Purpose::test, static_cast<std::uint32_t>(i), 0});
          error.data_gain = -error.sigma;
          error.noise_gain = 1 - error.sigma;
          bank->store(error, {3, svi::Purpose::test, static_cast<std::uint32_t>(i), 0});
        }
        return bank;
      };
      recycler = std::make_unique<svi::Recycler>(
          svi::Recycler::Config{}, svi::Recycler::Parts{source, policy, make}, 1, 1, kBatch, group);
    }
    trainer = std::make_unique<svi::Trainer>(
        svi::Trainer::Config{
            .steps = 1000000, .slots = 1, .micro_batch = kBatch, .bank_report_every = 1000000},
        svi::Trainer::Parts{dit, svi::trainable(*lora), data, collective, recycler.get()}, 1,
        group);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto start = std::clock();
      trainer->step();
      seconds.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
  }
  double median() const {
    auto sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }

  std::string name;
  svi::WanDit dit;
  std::shared_ptr<svi::Lora> lora;
  FixedData data;
  svi::OneStepError source;
  svi::BernoulliInjection policy;
  svi::MpiCollective collective;
  std::unique_ptr<svi::Recycler> recycler;
  std::unique_ptr<svi::Trainer> trainer;
  std::vector<double> seconds;
};

}  // namespace

int main(int argc, char** argv) {
  at::set_num_threads(1);
  at::manual_seed(1);
  int steps = 3, rounds = 10;
  std::string out;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--steps") steps = std::atoi(argv[i + 1]);
    if (key == "--rounds") rounds = std::atoi(argv[i + 1]);
    if (key == "--out") out = argv[i + 1];
  }
  std::vector<std::unique_ptr<Arm>> arms;
  arms.push_back(std::make_unique<Arm>("plain LoRA", -1, svi::Eviction::random));
  arms.push_back(std::make_unique<Arm>("ERFT, empty bank", 0, svi::Eviction::random));
  arms.push_back(std::make_unique<Arm>("ERFT, 2,500 errors", 2500, svi::Eviction::random));
  arms.push_back(std::make_unique<Arm>("ERFT, 25,000 errors", 40000, svi::Eviction::random));
  arms.push_back(
      std::make_unique<Arm>("ERFT, 25,000 errors, nearest", 40000, svi::Eviction::nearest));
  for (auto& arm : arms) {
    arm->run(2);
    arm->seconds.clear();
  }
  for (int round = 0; round < rounds; ++round) {
    for (auto& arm : arms) arm->run(steps);
  }
  std::string rows;
  for (const auto& arm : arms) {
    const double ratio = arm->median() / arms.front()->median();
    const auto entries = arm->recycler ? arm->recycler->statistics().entries : 0;
    std::printf("%-32s %8.2f ms   %.3f x   bank %lld\n", arm->name.c_str(), 1e3 * arm->median(),
                ratio, static_cast<long long>(entries));
    rows += svi::cat(rows.empty() ? "" : ",\n", "    {\"arm\": \"", arm->name,
                     "\", \"bank_entries\": ", entries, ", \"median_cpu_seconds\": ", arm->median(),
                     ", \"ratio_to_plain\": ", ratio, "}");
  }
  if (!out.empty()) {
    std::ofstream(out)
        << "{\n  \"benchmark\": \"ERFT step\", \"model\": \"pocket transformer, 5 layers of 128\", "
        << "\"batch\": " << kBatch << ", \"threads\": 1, \"steps_per_arm\": " << steps * rounds
        << ",\n  \"arms\": [\n"
        << rows << "\n  ]\n}\n";
  }
  return 0;
}
