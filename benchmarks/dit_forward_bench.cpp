// One forward pass of the Wan transformer without gradients, with random weights.
//
//   dit_forward_bench [--dtype fp32|bf16] [--threads N] [--repeats N] [--warmup N]
//                     [--frames F --rows h --columns w] [--text ROWS] [--contexts N] [--layers N]
//
// The geometry is T2V-1.3B's. The text has ROWS rows of its 512 that are not zero; --contexts N
// keeps what blocks compute of it between passes, as a sampler has it. Prints one line of JSON;
// memory is what the passes add to the weights at their peak.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "svi/model/wan/dit.hpp"

namespace {

struct Options {
  std::string dtype = "fp32";
  int threads = 2, repeats = 3, warmup = 1, text = 512, contexts = 0, layers = 30;
  int frames = 5, rows = 12, columns = 26;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--dtype") options.dtype = argv[i + 1];
    const std::pair<const char*, int*> numbers[] = {
        {"--threads", &options.threads},   {"--repeats", &options.repeats},
        {"--warmup", &options.warmup},     {"--text", &options.text},
        {"--contexts", &options.contexts}, {"--layers", &options.layers},
        {"--frames", &options.frames},     {"--rows", &options.rows},
        {"--columns", &options.columns}};
    for (const auto& [name, value] : numbers) {
      if (key == name) *value = std::atoi(argv[i + 1]);
    }
  }
  return options;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The process's largest resident memory so far, in MiB.
double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  const auto dtype = options.dtype == "bf16" ? at::kBFloat16 : at::kFloat;
  at::set_num_threads(options.threads);
  at::manual_seed(0);
  const at::NoGradGuard no_grad;

  svi::WanDit dit({.layers = options.layers}, at::TensorOptions(dtype));
  for (auto& [name, weight] : dit.parameters()) {
    if (!name.ends_with("bias") && name.find("norm") == std::string::npos) {
      weight.uniform_(-.03, .03);
    }
  }
  dit.keep_contexts(static_cast<std::size_t>(options.contexts));
  auto text = at::zeros({1, 512, 4096});
  text.narrow(1, 0, options.text).normal_();
  const svi::Condition condition{{svi::part::kText, text}};
  const auto noisy = at::randn({1, 16, options.frames, options.rows, options.columns});
  const auto timestep = at::full({1}, 700.F);
  const auto before = peak_mib();

  std::vector<double> seconds, cpu_seconds;
  at::Tensor velocity;
  for (int i = 0; i < options.warmup + options.repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto cpu_start = std::clock();
    velocity = dit.velocity(noisy, timestep, condition);
    const auto cpu = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (i < options.warmup) continue;
    seconds.push_back(passed.count());
    cpu_seconds.push_back(cpu);
  }
  if (!velocity.isfinite().all().item<bool>()) {
    std::fprintf(stderr, "the velocity is not finite\n");
    return 1;
  }
  std::printf(
      "{\"program\": \"svi\", \"dtype\": \"%s\", \"threads\": %d, \"tokens\": %d, \"text_rows\": "
      "%d, "
      "\"kept_contexts\": %d, \"seconds\": %.4f, \"cpu_seconds\": %.4f, \"peak_mib\": %.0f, "
      "\"added_mib\": %.0f}\n",
      options.dtype.c_str(), options.threads,
      options.frames * (options.rows / 2) * (options.columns / 2), options.text, options.contexts,
      median(seconds), median(cpu_seconds), peak_mib(), peak_mib() - before);
  return 0;
}
