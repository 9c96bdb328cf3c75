// Wan VAE at pocket size: 32x32 pixels, 17 frames, batch 8, one thread.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <benchmark/benchmark.h>

#include "svi/core/random.hpp"
#include "svi/model/wan/vae.hpp"

namespace {

constexpr std::int64_t kBatch = 8;

svi::WanVae make(std::int64_t dim) {
  at::set_num_threads(1);
  svi::WanVae vae({.dim = dim, .z_dim = 12});
  vae.initialise(1);
  return vae;
}

at::Tensor random(at::IntArrayRef sizes) {
  auto tensor = at::empty(sizes, at::kFloat);
  svi::fill_normal({1, svi::Purpose::test, 0, 0}, tensor.mutable_data_ptr<float>(), tensor.numel());
  return tensor;
}

void encode(benchmark::State& state) {
  const auto vae = make(state.range(0));
  const auto video = random({kBatch, 3, 17, 32, 32});
  const at::NoGradGuard guard;
  for (auto _ : state) benchmark::DoNotOptimize(vae.encode(video));
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void decode(benchmark::State& state) {
  const auto vae = make(state.range(0));
  const auto latent = random({kBatch, 12, 5, 4, 4});
  const at::NoGradGuard guard;
  for (auto _ : state) benchmark::DoNotOptimize(vae.decode(latent));
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void train_step(benchmark::State& state) {
  auto vae = make(state.range(0));
  vae.require_grad(true);
  if (state.range(1) != 0) vae.set_activations(at::kBFloat16);
  const auto video = random({kBatch, 3, 17, 32, 32});
  for (auto _ : state) {
    (vae.decode(vae.encode(video)) - video).abs().mean().backward();
    for (auto& [name, tensor] : vae.parameters()) tensor.mutable_grad().reset();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

BENCHMARK(encode)->Name("Vae/encode/dim")->Arg(8)->Arg(12)->Arg(16)->Unit(benchmark::kMillisecond);
BENCHMARK(decode)->Name("Vae/decode/dim")->Arg(8)->Arg(12)->Arg(16)->Unit(benchmark::kMillisecond);
BENCHMARK(train_step)
    ->Name("Vae/train_step/dim/bf16")
    ->ArgsProduct({{8, 12, 16}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
