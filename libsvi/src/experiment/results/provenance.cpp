#include "svi/experiment/provenance.hpp"

#include <ATen/ATen.h>
#include <torch/version.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <set>

#include "experiment/jobs/jobs.hpp"
#include "experiment/jobs/models.hpp"
#include "svi/core/abi.hpp"
#include "svi/core/host.hpp"
#include "svi/core/sha256.hpp"
#include "svi/encoder/text_encoder.hpp"
#include "svi/experiment/commit.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/metric/metric.hpp"
#include "svi/model/lora_files.hpp"

namespace svi {
namespace {

std::string now_utc() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string file_hash(const std::filesystem::path& path) {
  return std::filesystem::exists(path) ? sha256_file(path) : "missing";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> provenance(const Plan& plan,
                                                            const Registry& registry,
                                                            const Communicator& world,
                                                            const std::string& device) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"svi_version", kVersion},
      {"commit", kCommit},
      {"abi", kAbi},
      {"torch", TORCH_VERSION},
      {"device", device},
      {"ranks", std::to_string(world.size())},
      {"threads_per_rank", std::to_string(plan.run.threads)},
      {"host", host_name()},
      {"started", now_utc()},
  };
  auto plugins = plan.plugins;
  if (plan.shipped) plugins.push_back(*plan.shipped);
  for (const auto& plugin : plugins) {
    facts.emplace_back("plugin " + plugin.name, plugin.version + " sha256 " + plugin.sha256);
  }
  std::set<std::string> files;
  for (const auto& arm : plan.arms) {
    for (const auto& section : arm.document.sections()) {
      if (!section.name.starts_with("metric.")) continue;
      const auto type = section.name.substr(std::string_view("metric.").size());
      const auto metric = registry.make<Metric>(arm.document, type, nullptr, section.name);
      for (const auto& path : metric->weights()) {
        if (files.insert(path).second)
          facts.emplace_back("weights " + std::filesystem::path(path).filename().string(),
                             "sha256 " + file_hash(path));
      }
    }
  }
  // Weights that this run makes itself are no part of where it came from.
  for (const auto& arm : plan.arms) {
    if (plan.experiment.kind == ExperimentKind::measure) break;  // no model
    const bool makes_base = plan.experiment.kind == ExperimentKind::pretrain;
    if (trains_codec(plan, arm)) continue;
    const auto model = parse_config<ModelConfig>(arm.document, "model");
    const auto weights = model_files(model);
    for (const auto& path : {weights.dit, weights.vae}) {
      if ((makes_base && path == weights.dit) || !files.insert(path.string()).second) continue;
      const auto key = "weights " + path.filename().string();
      // Official weights have tens of gigabytes: their headers and samples tell them apart.
      if (weights.layout == ModelLayout::trained) {
        facts.emplace_back(key, "sha256 " + file_hash(path));
      } else {
        facts.emplace_back(key, "identity " + weights_identity(open_weights(path)));
      }
    }
  }
  for (const auto& arm : plan.arms) {
    if (plan.experiment.kind != ExperimentKind::ablation) break;
    const auto model = parse_config<ModelConfig>(arm.document, "model");
    for (const auto& text : model.lora) {
      const auto path = lora_choice(text, "[model] lora =", model_files(model).folder).path;
      if (files.insert(path.string()).second)
        facts.emplace_back("weights " + path.filename().string(), "sha256 " + file_hash(path));
    }
  }
  for (std::size_t i = 0; i < plan.experiment.inputs.size(); ++i)
    facts.emplace_back("input " + std::to_string(i), "sha256 " + plan.experiment.inputs[i]);
  return facts;
}

}  // namespace svi
