// The pocket training step: forward and backward of the Wan transformer, for LoRA or all weights.
//
//   dit_step_bench [--mode lora|full] [--steps N] [--warmup N] [--threads N]
//
// Sizes, dtype and threads equal those of dit_step_reference.py; prints one line of JSON.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"

namespace {

struct Options {
  std::string mode = "lora";
  int steps = 30, warmup = 5, threads = 1;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--mode") options.mode = argv[i + 1];
    if (key == "--steps") options.steps = std::atoi(argv[i + 1]);
    if (key == "--warmup") options.warmup = std::atoi(argv[i + 1]);
    if (key == "--threads") options.threads = std::atoi(argv[i + 1]);
  }
  return options;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  const bool lora_only = options.mode == "lora";
  at::set_num_threads(options.threads);
  at::manual_seed(0);

  svi::WanDit dit({.in_dim = 36,
                   .dim = 128,
                   .ffn_dim = 512,
                   .text_dim = 64,
                   .text_len = 24,
                   .heads = 4,
                   .layers = 5});
  dit.initialise(1);
  auto parameters = dit.parameters();
  std::shared_ptr<svi::Lora> lora;
  if (lora_only) {
    lora = std::make_shared<svi::Lora>(svi::LoraConfig{.rank = 32, .alpha = 32}, dit.linears(), 1);
    const at::NoGradGuard no_grad;
    for (const auto& adapter : lora->adapters()) adapter.b.normal_(0, 0.02);
    dit.attach(lora);
  } else {
    dit.require_grad(true);
  }
  for (auto& [name, weight] : parameters) {
    const at::NoGradGuard no_grad;
    if (name == "head.head.weight") weight.normal_(0, 0.1);
  }
  const auto noisy = at::randn({16, 16, 5, 8, 8}), target = at::randn({16, 16, 5, 8, 8});
  const svi::Condition condition{.text = at::randn({16, 24, 64}),
                                 .image = at::randn({16, 20, 5, 8, 8})};
  const auto timestep = at::rand({16}) * 1000;

  const auto step = [&] {
    if (lora_only) lora->zero_grad();
    for (auto& [name, weight] : parameters) {
      if (weight.grad().defined()) weight.mutable_grad().zero_();
    }
    const auto loss = (dit.velocity(noisy, timestep, condition) - target).square().mean();
    loss.backward();
    return loss.item<double>();
  };
  std::vector<double> seconds, cpu_seconds;
  for (int i = 0; i < options.warmup + options.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto cpu_start = std::clock();
    step();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    const auto cpu = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    if (i < options.warmup) continue;
    seconds.push_back(passed.count());
    cpu_seconds.push_back(cpu);
  }
  std::printf(
      "{\"program\": \"svi\", \"mode\": \"%s\", \"steps\": %d, \"median_seconds\": %.6f, "
      "\"min_seconds\": %.6f, \"median_cpu_seconds\": %.6f}\n",
      options.mode.c_str(), options.steps, median(seconds),
      *std::min_element(seconds.begin(), seconds.end()), median(cpu_seconds));
  return 0;
}
