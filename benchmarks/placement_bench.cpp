// A transformer at its official size, out of its files: how long it takes to open, what a forward
// pass costs, and how much memory it has of its own, wherever its weights are kept.
//
//   placement_bench FILE|FOLDER [--compute fp32|bf16] [--resident N] [--storage compute|stored]
//                   [--bits 8|0] [--release 0|1] [--threads 2] [--repeats 2]
//
// Prints one line of JSON. Anonymous pages are the process's own; file pages are of the mapped
// weights, and the system takes them back when others need them. 390 tokens.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>

#include "process.hpp"
#include "svi/core/random.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/wan/dit.hpp"

namespace {

using svi::benchmark::AnonymousPeak;
using svi::benchmark::cpu_seconds;
using svi::benchmark::status;
using svi::benchmark::wall_seconds;

at::Tensor normal(std::vector<std::int64_t> sizes, std::uint32_t stream) {
  auto value = at::empty(sizes, at::kFloat);
  svi::fill_normal({.seed = 1, .purpose = svi::Purpose::test, .stream = stream},
                   value.mutable_data_ptr<float>(), value.numel());
  return value;
}

struct Result {
  double open = 0, place = 0;
  std::string seconds, cpu;
  double quantisation_error = 0;
  at::Tensor velocity;
};

Result measure(const std::string& path, const svi::DitPlacement& placement, bool eight_bit,
               std::int64_t repeats) {
  const at::NoGradGuard no_grad;
  Result result;
  const auto start = wall_seconds();
  auto weights = svi::open_weights(path);
  svi::WanDit dit(svi::WanDit::infer(weights), at::TensorOptions(at::kMeta));
  dit.adopt(weights, path);
  weights.clear();
  result.open = wall_seconds() - start;
  if (eight_bit) result.quantisation_error = dit.quantise().velocity_error;
  dit.place(placement);
  result.place = wall_seconds() - start - result.open;

  const auto& config = dit.config();
  const auto noisy = normal({1, 16, 1, 30, 52}, 0);
  svi::Condition condition{{svi::part::kText, normal({1, 512, config.text_dim}, 1)}};
  if (config.in_dim > 16)
    condition.set(svi::part::kImage, normal({1, config.in_dim - 16, 1, 30, 52}, 2));
  if (config.image_dim > 0) condition.set(svi::part::kClip, normal({1, 257, config.image_dim}, 3));
  for (std::int64_t i = 0; i < repeats; ++i) {
    const auto wall_before = wall_seconds(), cpu_before = cpu_seconds();
    result.velocity = dit.velocity(noisy, at::full({1}, 700.F), condition);
    const auto* separator = i == 0 ? "" : ", ";
    result.seconds += separator + std::to_string(wall_seconds() - wall_before);
    result.cpu += separator + std::to_string(cpu_seconds() - cpu_before);
  }
  return result;
}

int run(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) {
    std::cerr << "usage: placement_bench FILE [--compute fp32|bf16] [--resident N] "
                 "[--storage compute|stored] [--bits 8|0] [--release 0|1] [--threads N] "
                 "[--repeats N]\n";
    return 2;
  }
  std::map<std::string, std::string> given = {
      {"--compute", "fp32"}, {"--resident", "-1"}, {"--storage", "compute"}, {"--bits", "0"},
      {"--release", "0"},    {"--threads", "2"},   {"--repeats", "2"}};
  for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  at::set_num_threads(std::stoi(given["--threads"]));
  const svi::DitPlacement placement{
      .compute = given["--compute"] == "bf16" ? at::kBFloat16 : at::kFloat,
      .resident_blocks = std::stoll(given["--resident"]),
      .storage =
          given["--storage"] == "stored" ? svi::WeightStorage::stored : svi::WeightStorage::compute,
      .release_pages = given["--release"] == "1"};

  const AnonymousPeak anonymous;
  const auto result =
      measure(argv[1], placement, given["--bits"] == "8", std::stoll(given["--repeats"]));
  const auto sum = result.velocity.abs().sum().item<double>();
  std::printf(
      "{\"compute\": \"%s\", \"resident\": %s, \"storage\": \"%s\", \"bits\": %s, \"release\": %s, "
      "\"open_seconds\": %.3f, \"place_seconds\": %.3f, \"use_seconds\": [%s], "
      "\"use_cpu_seconds\": [%s], \"peak_anonymous_bytes\": %lld, \"peak_bytes\": %lld, "
      "\"quantisation_error\": %.5f, \"output_sum\": %.6f}\n",
      given["--compute"].c_str(), given["--resident"].c_str(), given["--storage"].c_str(),
      given["--bits"].c_str(), given["--release"].c_str(), result.open, result.place,
      result.seconds.c_str(), result.cpu.c_str(), anonymous.bytes(), status("VmHWM"),
      result.quantisation_error, sum);
  return std::isfinite(sum) ? 0 : 1;
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
