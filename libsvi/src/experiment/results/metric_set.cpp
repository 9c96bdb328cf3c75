#include "metric_set.hpp"

#include <optional>

#include "experiment/jobs/models.hpp"
#include "experiment/plan/inputs.hpp"
#include "experiment/plan/sections.hpp"

namespace svi {
namespace {

/// Every file a metric needs, from the inputs of the run; nothing if one is not among them.
std::optional<std::map<std::string, LocatedFile>> pinned_files(
    const std::vector<MetricFile>& needs, const std::filesystem::path& folder,
    const std::map<std::string, std::string>& pinned) {
  std::map<std::string, LocatedFile> files;
  for (const auto& need : needs) {
    const auto path = path_of(need, folder).string();
    const auto found = pinned.find(path);
    if (found == pinned.end() || !is_wanted(need, found->second)) return std::nullopt;
    files[need.name] = {path, found->second, ""};
  }
  return files;
}

}  // namespace

std::vector<ArmMetric> arm_metrics(const Document& document, const Registry& registry) {
  std::vector<ArmMetric> metrics;
  for (const auto& name : names_below(document, kMetricPrefix)) {
    const auto section = std::string(kMetricPrefix) + name;
    metrics.push_back({section, registry.make<Metric>(document, name, nullptr, section)});
  }
  return metrics;
}

std::filesystem::path metric_folder(const Document& document) {
  return section<EvaluationConfig>(document, "evaluation").weights;
}

std::vector<PresentMetric> present_metrics(const JobContext& context) {
  const auto& document = context.plan.arms[context.job.arm].document;
  const auto folder = metric_folder(document);
  const auto pinned = pinned_inputs(context.plan);
  std::vector<PresentMetric> present;
  for (auto& [section, metric] : arm_metrics(document, context.registry)) {
    auto files = pinned_files(metric->needs(), folder, pinned);
    if (files) present.push_back({section, std::move(metric), std::move(*files)});
  }
  return present;
}

ReadyMetrics::ReadyMetrics(const JobContext& context) : ReadyMetrics(context, {}) {}

ReadyMetrics::ReadyMetrics(const JobContext& context, const std::set<std::string>& sections) {
  const auto seed = context.plan.experiment.seeds[context.job.seed];
  for (auto& [section, metric, files] : present_metrics(context)) {
    if (!sections.empty() && !sections.contains(section)) continue;
    contexts_.push_back({context.device, alone_, static_cast<std::uint64_t>(seed), context.features,
                         std::move(files)});
    metric->ready(contexts_.back());
    metrics_.push_back(std::move(metric));
  }
}

}  // namespace svi
