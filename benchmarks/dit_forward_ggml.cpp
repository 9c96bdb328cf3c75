// One forward pass of stable-diffusion.cpp's Wan transformer with random weights: the counterpart
// of dit_forward_bench. compare_dit_forward compiles it against a built tree of
// stable-diffusion.cpp.
//
//   dit_forward_ggml fp32|bf16 THREADS REPEATS FLASH(0|1)
//
// The transformer's own class runs as the program runs it, without a text encoder, a VAE or a file:
// weights are allocated in their type and filled here. Text has 512 rows, latents are 5 x 12 x 26.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "model.h"
#include "wan.hpp"

namespace {

const std::string kPrefix = "model.diffusion_model";

// The type each linear's weight is stored in, under the names a checkpoint has.
String2TensorStorage types_of(ggml_type type) {
  std::vector<std::string> layers = {"text_embedding.0", "text_embedding.2",  "time_embedding.0",
                                     "time_embedding.2", "time_projection.1", "head.head"};
  for (int i = 0; i < 30; ++i) {
    for (const char* layer :
         {"self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "cross_attn.q",
          "cross_attn.k", "cross_attn.v", "cross_attn.o", "ffn.0", "ffn.2"}) {
      layers.push_back("blocks." + std::to_string(i) + "." + layer);
    }
  }
  String2TensorStorage types;
  for (const auto& layer : layers) {
    TensorStorage storage;
    storage.name = kPrefix + "." + layer + ".weight";
    storage.type = type;
    types[storage.name] = storage;
  }
  return types;
}

void fill(ggml_tensor* tensor, const std::vector<float>& pool) {
  const auto count = static_cast<std::size_t>(ggml_nelements(tensor));
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = pool[i % pool.size()];
  std::vector<char> bytes(ggml_nbytes(tensor));
  if (tensor->type == GGML_TYPE_F32) {
    std::copy_n(reinterpret_cast<const char*>(values.data()), bytes.size(), bytes.data());
  } else {
    ggml_quantize_chunk(tensor->type, values.data(), bytes.data(), 0,
                        static_cast<std::int64_t>(count) / tensor->ne[0], tensor->ne[0], nullptr);
  }
  ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const bool bf16 = std::string(argv[1]) == "bf16";
  const int threads = std::atoi(argv[2]), repeats = std::atoi(argv[3]);
  ggml_backend_t backend = ggml_backend_cpu_init();
  WAN::WanRunner wan(backend, false, types_of(bf16 ? GGML_TYPE_BF16 : GGML_TYPE_F32), kPrefix,
                     VERSION_WAN2);
  wan.set_flash_attention_enabled(std::atoi(argv[4]) != 0);
  if (!wan.alloc_params_buffer()) return 1;
  std::mt19937 random(0);
  std::uniform_real_distribution<float> uniform(-.03F, .03F);
  std::vector<float> pool(1 << 20);
  for (auto& x : pool) x = uniform(random);
  std::map<std::string, ggml_tensor*> tensors;
  wan.get_param_tensors(tensors, kPrefix);
  for (auto& [name, tensor] : tensors) fill(tensor, pool);

  const auto noise = [&](std::vector<std::int64_t> sizes) {
    std::normal_distribution<float> normal;
    sd::Tensor<float> tensor(std::move(sizes));
    for (std::int64_t i = 0; i < tensor.numel(); ++i) tensor.data()[i] = normal(random);
    return tensor;
  };
  const auto noisy = noise({26, 12, 5, 16});
  const auto text = noise({4096, 512, 1});
  const auto timestep = sd::Tensor<float>::from_vector({700.F});

  std::vector<double> seconds, cpu_seconds;
  for (int i = 0; i < 1 + repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto cpu_start = std::clock();
    const auto velocity = wan.compute(threads, noisy, timestep, text);
    const auto cpu = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (velocity.empty() || !std::isfinite(velocity.data()[0])) return 1;
    if (i == 0) continue;
    seconds.push_back(passed.count());
    cpu_seconds.push_back(cpu);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"program\": \"stable-diffusion.cpp\", \"dtype\": \"%s\", \"threads\": %d, "
      "\"flash_attention\": %s, \"seconds\": %.4f, \"cpu_seconds\": %.4f, \"peak_mib\": %.0f}\n",
      argv[1], threads, std::atoi(argv[4]) != 0 ? "true" : "false", median(seconds),
      median(cpu_seconds), static_cast<double>(usage.ru_maxrss) / 1024);
  std::fflush(stdout);
  std::_Exit(0);  // the backend outlives the runner here
}
