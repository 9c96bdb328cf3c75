// The official VAE at random weights, one size: time, peak memory and, on request, the result.
//
//   vae_size_bench encode|decode [--height 480] [--width 832] [--frames 5] [--threads 2]
//                  [--weights W.safetensors] [--input IN.safetensors] [--output OUT.safetensors]
//
// Prints one line of JSON. Peak memory is what the process grew by during the call.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include "svi/core/random.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/wan/vae.hpp"

namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A line of /proc/self/status, in bytes.
std::int64_t status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

/// So that VmHWM speaks of what comes next.
void reset_peak() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

at::Tensor random(at::IntArrayRef sizes) {
  auto tensor = at::empty(sizes, at::kFloat);
  svi::fill_normal({1, svi::Purpose::test, 0, 0}, tensor.mutable_data_ptr<float>(), tensor.numel());
  return tensor;
}

std::string option(const std::map<std::string, std::string>& given, const std::string& key,
                   const std::string& otherwise) {
  const auto found = given.find("--" + key);
  return found == given.end() ? otherwise : found->second;
}

int run(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if ((mode != "encode" && mode != "decode") || argc % 2 != 0) {
    std::cerr << "usage: vae_size_bench encode|decode [--height H] [--width W] [--frames T] "
                 "[--threads N] [--weights FILE] [--input FILE] [--output FILE]\n";
    return 2;
  }
  std::map<std::string, std::string> given;
  for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  const auto number = [&](const std::string& key, const std::string& otherwise) {
    return std::stoll(option(given, key, otherwise));
  };
  const std::int64_t H = number("height", "480"), W = number("width", "832"),
                     T = number("frames", "5");
  at::set_num_threads(static_cast<int>(number("threads", "2")));
  const at::NoGradGuard guard;
  svi::WanVae vae(svi::WanVaeConfig{});
  const auto weights = option(given, "weights", "");
  if (weights.empty()) {
    vae.initialise(1);
  } else {
    vae.load(svi::SafetensorsFile::open(weights).load_all(), weights);
  }
  const auto input_file = option(given, "input", "");
  const auto input = !input_file.empty() ? svi::SafetensorsFile::open(input_file).load("input")
                     : mode == "encode"  ? random({1, 3, T, H, W}).clamp_(-1, 1)
                                         : random({1, 16, vae.latent_frames(T), H / 8, W / 8});
  reset_peak();
  const auto before = status("VmRSS");
  const auto wall = wall_seconds(), cpu = cpu_seconds();
  const auto output = mode == "encode" ? vae.encode(input) : vae.decode(input);
  const auto wall_taken = wall_seconds() - wall, cpu_taken = cpu_seconds() - cpu;
  std::printf(
      "{\"program\": \"svi\", \"mode\": \"%s\", \"seconds\": %.4f, \"cpu_seconds\": %.4f, "
      "\"peak_bytes\": %lld}\n",
      mode.c_str(), wall_taken, cpu_taken, static_cast<long long>(status("VmHWM") - before));
  const auto output_file = option(given, "output", "");
  if (!output_file.empty()) svi::save_safetensors(output_file, {{"output", output}});
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
