// Nearest insert into a full bin of 500 errors, beside stack-and-norm; and store and recall.
//
//   memory_bench [--benchmark_filter=...]                       Google Benchmark, sizes of one bin
//   memory_bench --nearest OUT.json [--entries N] [--repeat N]  naive and ours in one run, same
//   data
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "memory/nearest_detail.hpp"
#include "memory/storage_detail.hpp"
#include "svi/core/check.hpp"
#include "svi/memory/time_grid.hpp"
#include "svi/tensor/random.hpp"

namespace {

using svi::detail::Candidate;
using svi::detail::Fingerprint;

constexpr std::int64_t kShape[] = {16, 21, 60, 104};  // [C, F, h, w] at 480 x 832 x 81

/// One bin's residuals, with what the bank caches about them.
struct Data {
  std::vector<at::Tensor> stored;
  std::vector<Fingerprint> norms;
  at::Tensor query;

  void seal() {
    for (auto& tensor : stored) {
      tensor = svi::detail::stored_copy(tensor, at::kBFloat16);
      norms.push_back(svi::detail::fingerprint(tensor));
    }
    query = query.to(at::kBFloat16).contiguous();
  }
};

at::Tensor gaussian(std::uint32_t stream) {
  return svi::normal({1, svi::Purpose::test, stream, 0}, kShape);
}

/// Equal norms, all orthogonal: nothing can be ruled out before the last element (the worst case).
Data independent(std::int64_t entries) {
  Data data;
  for (std::int64_t i = 0; i < entries; ++i)
    data.stored.push_back(gaussian(static_cast<std::uint32_t>(i)));
  data.query = gaussian(1000000);
  data.seal();
  return data;
}

/// What residuals look like: a smooth part shared by a few scenes, fine noise, strengths that
/// differ.
Data scenes(std::int64_t entries) {
  std::vector<at::Tensor> smooth;
  for (std::uint32_t scene = 0; scene < 8; ++scene) {
    const auto coarse = svi::normal({2, svi::Purpose::test, scene, 0}, {1, 16, 6, 10, 13});
    smooth.push_back(at::upsample_trilinear3d(coarse, at::IntArrayRef(kShape).slice(1), false)[0]);
  }
  const auto make = [&](std::uint32_t i) {
    const double strength = std::exp(0.5 * svi::uniform({3, svi::Purpose::test, i, 0}) - 0.25);
    return strength * (smooth[i % 8] + 0.5 * gaussian(i));
  };
  Data data;
  for (std::int64_t i = 0; i < entries; ++i)
    data.stored.push_back(make(static_cast<std::uint32_t>(i)));
  data.query = make(1000003);
  data.seal();
  return data;
}

/// Norms apart from each other: the cached norms alone decide.
Data spread(std::int64_t entries) {
  Data data;
  const auto one = gaussian(0);
  for (std::int64_t i = 0; i < entries; ++i) {
    data.stored.push_back((0.05 + 2.0 * static_cast<double>(i) / static_cast<double>(entries)) *
                          one);
  }
  data.query = one + 0.01 * gaussian(1);
  data.seal();
  return data;
}

std::size_t naive(const Data& data) {
  const auto distances = (at::stack(data.stored) - data.query).flatten(1).norm(2, 1);
  return static_cast<std::size_t>(distances.argmin().item<std::int64_t>());
}

std::size_t naive_fp32(const Data& data) {
  double best = INFINITY;
  std::size_t index = 0;
  for (std::size_t i = 0; i < data.stored.size(); ++i) {
    const double distance = (data.stored[i].to(at::kFloat) - data.query.to(at::kFloat))
                                .to(at::kDouble)
                                .square()
                                .sum()
                                .item<double>();
    if (distance < best) {
      best = distance;
      index = i;
    }
  }
  return index;
}

std::size_t ours(const Data& data) {
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < data.stored.size(); ++i)
    candidates.push_back({&data.stored[i], &data.norms[i]});
  const auto print = svi::detail::fingerprint(data.query);  // part of every insert
  return svi::detail::nearest(candidates, {&data.query, &print});
}

struct Timing {
  std::size_t choice = 0;
  std::vector<double> seconds, cpu;  // sorted
  double cpu_median() const { return cpu[cpu.size() / 2]; }
};

Timing timed(const std::function<std::size_t(const Data&)>& search, const Data& data, int repeat) {
  Timing timing;
  for (int i = 0; i < repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto cpu_start = std::clock();
    timing.choice = search(data);
    timing.seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    timing.cpu.push_back(static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC);
  }
  std::sort(timing.seconds.begin(), timing.seconds.end());
  std::sort(timing.cpu.begin(), timing.cpu.end());
  return timing;
}

std::string numbers(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += svi::cat(text.empty() ? "" : ", ", value);
  return "[" + text + "]";
}

int compare(const std::string& file, std::int64_t entries, int repeat) {
  std::string cases;
  const std::pair<const char*, Data (*)(std::int64_t)> all[] = {
      {"independent", independent}, {"scenes", scenes}, {"spread", spread}};
  for (const auto& [name, make] : all) {
    const auto data = make(entries);
    const auto fast = timed(ours, data, repeat);
    const auto stack = timed(naive, data, repeat);
    const auto exact = timed(naive_fp32, data, 1);
    SVI_CHECK(fast.choice == exact.choice, name, ": ours chose ", fast.choice,
              ", fp64 distances say ", exact.choice);
    const double over_stack = stack.cpu_median() / fast.cpu_median();
    const double over_loop = exact.cpu_median() / fast.cpu_median();
    std::printf(
        "%-12s ours %.4f s, stack-and-norm %.3f s (%.0f x), loop %.3f s (%.0f x) of processor\n",
        name, fast.cpu_median(), stack.cpu_median(), over_stack, exact.cpu_median(), over_loop);
    std::fflush(stdout);
    cases += svi::cat(cases.empty() ? "" : ",\n", "    {\"data\": \"", name,
                      "\", \"choice\": ", fast.choice, ", \"choice_fp64\": ", exact.choice,
                      ", \"choice_stack_bf16\": ", stack.choice,
                      ",\n     \"ours_seconds\": ", numbers(fast.seconds),
                      ", \"ours_cpu_seconds\": ", numbers(fast.cpu),
                      ",\n     \"stack_and_norm_seconds\": ", numbers(stack.seconds),
                      ", \"stack_and_norm_cpu_seconds\": ", numbers(stack.cpu),
                      ",\n     \"loop_fp64_seconds\": ", numbers(exact.seconds),
                      ", \"loop_fp64_cpu_seconds\": ", numbers(exact.cpu),
                      ",\n     \"speedup_over_stack_and_norm\": ", over_stack,
                      ", \"speedup_over_loop\": ", over_loop, "}");
  }
  std::ofstream(file) << "{\n  \"benchmark\": \"nearest insert\", \"entries\": " << entries
                      << ", \"elements\": " << 16 * 21 * 60 * 104
                      << ", \"storage\": \"bf16\", \"threads\": 1,\n  \"cases\": [\n"
                      << cases << "\n  ]\n}\n";
  return 0;
}

constexpr std::int64_t kSmallShape[] = {16, 5, 8, 8};

svi::BankedError some_error(std::uint32_t i, at::IntArrayRef shape, bool offsets) {
  svi::BankedError error;
  error.residual = svi::normal({1, svi::Purpose::test, i, 0}, shape);
  error.sigma = 0.5;
  error.data_gain = -0.5;
  error.noise_gain = 0.5;
  if (offsets) {
    error.data_offset = 0.3 * svi::normal({2, svi::Purpose::test, i, 0}, shape);
    error.noise_offset = error.data_offset;
  }
  return error;
}

void store(benchmark::State& state, svi::Eviction eviction, at::IntArrayRef shape, bool offsets) {
  const auto entries = static_cast<std::uint32_t>(state.range(0));
  svi::TimeGridBank bank({.capacity = state.range(0), .eviction = eviction});
  std::uint32_t i = 0;
  for (; i < entries; ++i) bank.store(some_error(i, shape, offsets), {});
  std::vector<svi::BankedError> incoming;
  for (std::uint32_t k = 0; k < entries / 4; ++k)
    incoming.push_back(some_error(1000 + k, shape, offsets));
  for (auto _ : state) {
    bank.store(incoming[i % incoming.size()], {1, svi::Purpose::bank_evict, i, 0});
    ++i;
  }
}

void recall(benchmark::State& state) {
  svi::TimeGridBank bank({});
  for (std::uint32_t i = 0; i < 500; ++i) bank.store(some_error(i, kSmallShape, false), {});
  std::uint32_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        bank.recall({svi::ErrorEnd::data, 0, 1, {1, svi::Purpose::recall_image, i++, 0}}));
  }
}

constexpr auto kRandom = svi::Eviction::random, kNearest = svi::Eviction::nearest;
BENCHMARK_CAPTURE(store, random, kRandom, kSmallShape, false)
    ->Name("Bank/store/random/N")
    ->Arg(500);
BENCHMARK_CAPTURE(store, nearest, kNearest, kSmallShape, false)
    ->Name("Bank/store/nearest/N")
    ->Arg(500);
BENCHMARK_CAPTURE(store, offsets, kNearest, kSmallShape, true)
    ->Name("Bank/store/nearest_offsets/N")
    ->Arg(500);
// At the published shape: 81 frames of 480 x 832.
BENCHMARK_CAPTURE(store, published, kNearest, kShape, false)
    ->Name("Bank/store/published/N")
    ->Arg(100);
BENCHMARK_CAPTURE(store, published_offsets, kNearest, kShape, true)
    ->Name("Bank/store/published_offsets/N")
    ->Arg(100);
BENCHMARK(recall)->Name("Bank/recall/N:500");

}  // namespace

int main(int argc, char** argv) {
  at::set_num_threads(1);
  std::string file;
  std::int64_t entries = 500;
  int repeat = 5;
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string key = argv[i];
    if (key == "--nearest") file = argv[i + 1];
    if (key == "--entries") entries = std::atoll(argv[i + 1]);
    if (key == "--repeat") repeat = std::atoi(argv[i + 1]);
  }
  if (!file.empty()) return compare(file, entries, repeat);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
