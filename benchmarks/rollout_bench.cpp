// Does a film cost the same per clip however long it gets? Rolls out one pocket film and records,
// clip by clip, wall time and resident memory.
//
//   rollout_bench MODEL_FOLDER [CLIPS=300] > rollout.json
//
// "slope" is the robust line through the values of clips 10 on, times the number of clips, as a
// share of their median: 0 is flat.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "pocket/pocket_world.hpp"
#include "pocket/word_encoder.hpp"
#include "svi/core/clock.hpp"
#include "svi/evaluate/evaluation.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/metric/drift.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/sampler/euler.hpp"

namespace {

double resident_mebibytes() {
  std::ifstream in("/proc/self/statm");
  long total = 0, resident = 0;
  in >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void print(const char* name, const std::vector<double>& values, bool last) {
  const std::vector<double> settled(values.begin() + 10, values.end());
  const double slope =
      svi::robust_slope(settled) * static_cast<double>(settled.size()) / median(settled);
  std::cout << "  \"" << name << "\": {\"median\": " << median(settled) << ", \"first_tenth\": "
            << median({settled.begin(), settled.begin() + static_cast<long>(settled.size() / 10)})
            << ", \"last_tenth\": "
            << median({settled.end() - static_cast<long>(settled.size() / 10), settled.end()})
            << ", \"slope\": " << slope << "}" << (last ? "\n" : ",\n");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace svi;
  if (argc < 2) {
    std::cerr << "rollout_bench MODEL_FOLDER [CLIPS]\n";
    return 2;
  }
  at::set_num_threads(1);
  const std::string folder = argv[1];
  const std::int64_t clips = argc > 2 ? std::atoll(argv[2]) : 300;

  const auto weights = SafetensorsFile::open(folder + "/dit.safetensors").load_all();
  WanDit dit(WanDit::infer(weights, 4));
  dit.load(weights);
  const auto vae = WanVae::open(folder + "/vae.safetensors");
  const PocketTextEncoder encoder({});
  Registry registry;
  load_plugin(find_plugin("naive_chain"), registry);
  load_plugin(find_plugin("pocket"), registry);
  const auto method = registry.make<Method>(Document{}, "naive_chain");
  std::vector<std::unique_ptr<Metric>> metrics;
  metrics.push_back(registry.make<Metric>(Document{}, "pocket"));
  const EulerSampler sampler({.steps = 10, .shift = 3});
  const ClipShape shape{5, 32, 32};
  RolloutConfig config;
  config.clips = clips;
  const NoGuidance guidance;
  const Studio studio{
      dit,     vae,     [&](const auto& prompts) { return encoder.encode(prompts); },
      *method, sampler, guidance,
      config,  shape};
  const PocketWorld world({});
  const Evaluation evaluation(studio, world, metrics);

  std::vector<double> seconds, mebibytes;
  Stopwatch watch;
  evaluation.run({world.scene(0, shape)}, [&](const RolledClip&) {
    seconds.push_back(watch.seconds());
    mebibytes.push_back(resident_mebibytes());
    watch = Stopwatch();
  });
  std::cout << "{\n  \"question\": \"time and memory per clip over one film\",\n  \"clips\": "
            << clips << ",\n";
  print("seconds_per_clip", seconds, false);
  print("resident_mebibytes", mebibytes, true);
  std::cout << "}\n";
}
