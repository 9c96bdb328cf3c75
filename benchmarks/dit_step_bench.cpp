// A training step, forward and backward, of the Wan transformer, for LoRA or all weights.
//
//   dit_step_bench [--mode lora|full] [--steps N] [--warmup N] [--threads N]
//                  [--size pocket|1.3b] [--layers N] [--frames F --rows h --columns w]
//
// The pocket trains in batches of 16. T2V-1.3B takes one sample of 512 rows of text, adapters of
// rank 128 and activation checkpointing; --layers makes fewer blocks of it.
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
  std::string mode = "lora", size = "pocket";
  int steps = 30, warmup = 5, threads = 1, layers = 0, frames = 5, rows = 0, columns = 0;
};

// What is trained, and on what.
struct Setting {
  svi::WanDitConfig config;
  std::int64_t batch, text_rows, rank, frames, rows, columns;
  bool checkpointing;
};

Setting setting_of(const Options& o) {
  const auto or_else = [](int given, std::int64_t usual) { return given > 0 ? given : usual; };
  if (o.size == "1.3b") {
    return {.config = {.layers = or_else(o.layers, 30)},
            .batch = 1,
            .text_rows = 512,
            .rank = 128,
            .frames = o.frames,
            .rows = or_else(o.rows, 12),
            .columns = or_else(o.columns, 26),
            .checkpointing = true};
  }
  return {.config = {.in_dim = 36,
                     .dim = 128,
                     .ffn_dim = 512,
                     .text_dim = 64,
                     .text_len = 24,
                     .heads = 4,
                     .layers = or_else(o.layers, 5)},
          .batch = 16,
          .text_rows = 24,
          .rank = 32,
          .frames = o.frames,
          .rows = or_else(o.rows, 8),
          .columns = or_else(o.columns, 8),
          .checkpointing = false};
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--mode") options.mode = argv[i + 1];
    if (key == "--steps") options.steps = std::atoi(argv[i + 1]);
    if (key == "--warmup") options.warmup = std::atoi(argv[i + 1]);
    if (key == "--threads") options.threads = std::atoi(argv[i + 1]);
    if (key == "--size") options.size = argv[i + 1];
    if (key == "--layers") options.layers = std::atoi(argv[i + 1]);
    if (key == "--frames") options.frames = std::atoi(argv[i + 1]);
    if (key == "--rows") options.rows = std::atoi(argv[i + 1]);
    if (key == "--columns") options.columns = std::atoi(argv[i + 1]);
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

  const auto setting = setting_of(options);
  svi::WanDit dit(setting.config);
  dit.initialise(1);
  dit.recompute_blocks(setting.checkpointing);
  auto parameters = dit.parameters();
  std::shared_ptr<svi::Lora> lora;
  if (lora_only) {
    lora = std::make_shared<svi::Lora>(
        svi::LoraConfig{.rank = setting.rank, .alpha = static_cast<double>(setting.rank)},
        dit.linears(), 1);
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
  const auto latent = [&](std::int64_t channels) {
    return at::randn({setting.batch, channels, setting.frames, setting.rows, setting.columns});
  };
  const auto channels = setting.config.out_dim, beside = setting.config.in_dim - channels;
  const auto noisy = latent(channels), target = latent(channels);
  const svi::Condition condition{
      {svi::part::kText, at::randn({setting.batch, setting.text_rows, setting.config.text_dim})},
      {svi::part::kImage, beside > 0 ? latent(beside) : at::Tensor()}};
  const auto timestep = at::rand({setting.batch}) * 1000;

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
