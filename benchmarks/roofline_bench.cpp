// The least time that a forward pass of the Wan transformer can take: its arithmetic at the rate of
// multiply-add instructions alone, and its products in MKL, beside nothing else.
//
//   roofline_bench [--threads N] [--repeats N] [--frames F --rows h --columns w]
//                  [--text ROWS] [--layers N]
//
// The geometry is T2V-1.3B's, in fp32. Weights of two blocks take turns, so that they come from
// memory as in a pass. Prints one line of JSON; seconds are processor seconds of all threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "process.hpp"
#include "svi/tensor/instruction_set.hpp"

namespace {

struct Options {
  int threads = 2, repeats = 3, text = 512, layers = 30, frames = 5, rows = 12, columns = 26;
};

Options parse(int argc, char** argv) {
  Options options;
  const std::pair<const char*, int*> numbers[] = {
      {"--threads", &options.threads}, {"--repeats", &options.repeats}, {"--text", &options.text},
      {"--layers", &options.layers},   {"--frames", &options.frames},   {"--rows", &options.rows},
      {"--columns", &options.columns}};
  for (int i = 1; i + 1 < argc; i += 2) {
    for (const auto& [name, value] : numbers) {
      if (argv[i] == std::string(name)) *value = std::atoi(argv[i + 1]);
    }
  }
  return options;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

constexpr std::int64_t kDim = 1536, kFeed = 8960, kTextDim = 4096;
constexpr long kRounds = 4'000'000;
// Chains that do not wait for each other: more than the two units' four cycles of latency need.
constexpr int kChains = 12;

using Eight = float __attribute__((vector_size(32)));
using Sixteen = float __attribute__((vector_size(64)));

/// Floating-point operations of kRounds multiply-adds in each chain.
template <class Lanes>
__attribute__((always_inline)) inline double multiply_add() {
  Lanes sums[kChains], factor, term;
  for (std::size_t lane = 0; lane < sizeof(Lanes) / sizeof(float); ++lane) {
    for (auto& sum : sums) sum[lane] = 1;
    factor[lane] = 0.999F;
    term[lane] = 1e-3F;
  }
  asm volatile("" : "+x"(factor), "+x"(term));
  for (long i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
    for (int chain = 0; chain < kChains; ++chain) sums[chain] = sums[chain] * factor + term;
    asm volatile("" ::: "memory");
  }
  for (auto& sum : sums) asm volatile("" ::"x"(sum));
  return 2.0 * kRounds * kChains * (sizeof(Lanes) / sizeof(float));
}

#if defined(__x86_64__)
__attribute__((target("avx512f,prefer-vector-width=512"), noinline)) double run_avx512() {
  return multiply_add<Sixteen>();
}
__attribute__((target("avx2,fma"), noinline)) double run_avx2() { return multiply_add<Eight>(); }
#endif

/// Operations per processor second of one core that does nothing but multiply-adds; 0 where no
/// loop for the processor is here.
double peak_rate() {
#if defined(__x86_64__)
  const auto set = svi::instruction_set();
  if (set != svi::InstructionSet::avx512 && set != svi::InstructionSet::avx2) return 0;
  std::vector<double> rates;
  for (int i = 0; i < 9; ++i) {
    const auto start = svi::benchmark::cpu_seconds();
    const auto operations = set == svi::InstructionSet::avx512 ? run_avx512() : run_avx2();
    rates.push_back(operations / (svi::benchmark::cpu_seconds() - start));
  }
  return median(rates);
#else
  return 0;
#endif
}

/// The linear layers of a block, and the products of its attention.
struct Block {
  at::Tensor square[8], up, down;  // [D, D] for q, k, v, o of both attentions; [ffn, D], [D, ffn]

  Block() : up(at::empty({kFeed, kDim})), down(at::empty({kDim, kFeed})) {
    for (auto& weight : square) weight = at::empty({kDim, kDim}).uniform_(-.03, .03);
    up.uniform_(-.03, .03);
    down.uniform_(-.03, .03);
  }

  void run(const at::Tensor& tokens, const at::Tensor& text) const {  // [L, D], [M, D]
    for (int i = 0; i < 6; ++i) at::linear(tokens, square[i]);        // q, k, v, o; q, o
    for (int i = 6; i < 8; ++i) at::linear(text, square[i]);          // k, v
    at::linear(at::linear(tokens, up), down);
  }
};

double operations_of_a_pass(const Options& o, std::int64_t tokens) {
  const double L = static_cast<double>(tokens), M = o.text, D = kDim;
  const double linears = 6 * L * D * D + 2 * M * D * D + 2 * L * D * kFeed;
  const double attention = 2 * L * D * (L + M);
  return 2 * (o.layers * (linears + attention) + M * kTextDim * D + M * D * D);
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse(argc, argv);
  at::set_num_threads(options.threads);
  at::manual_seed(0);
  const at::NoGradGuard no_grad;
  const std::int64_t L = options.frames * (options.rows / 2) * (options.columns / 2);
  const std::array<Block, 2> blocks;
  const auto embed = at::empty({kDim, kTextDim}).uniform_(-.03, .03);
  const auto tokens = at::randn({L, kDim}), text = at::randn({options.text, kDim});
  const auto features = at::randn({options.text, kTextDim});

  std::vector<double> seconds, cpu_seconds, peaks;
  for (int i = 0; i < options.repeats; ++i) {
    peaks.push_back(peak_rate());
    const auto start = svi::benchmark::wall_seconds(), cpu = svi::benchmark::cpu_seconds();
    at::linear(at::linear(features, embed), blocks[0].square[0]);
    for (int layer = 0; layer < options.layers; ++layer)
      blocks[static_cast<std::size_t>(layer % 2)].run(tokens, text);
    seconds.push_back(svi::benchmark::wall_seconds() - start);
    cpu_seconds.push_back(svi::benchmark::cpu_seconds() - cpu);
  }
  const double peak = median(peaks), operations = operations_of_a_pass(options, L);
  std::printf(
      "{\"program\": \"roofline\", \"threads\": %d, \"tokens\": %lld, \"layers\": %d, "
      "\"operations\": %.6e, \"peak_per_core_and_second\": %.4e, \"least_cpu_seconds\": %.4f, "
      "\"seconds\": %.4f, \"cpu_seconds\": %.4f}\n",
      options.threads, static_cast<long long>(L), options.layers, operations, peak,
      peak > 0 ? operations / peak : 0.0, median(seconds), median(cpu_seconds));
  return 0;
}
