#pragma once

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "experiment/jobs/jobs.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// One [metric.NAME] of an arm.
struct ArmMetric {
  std::string section;  // "metric.NAME"
  std::unique_ptr<Metric> metric;
};

/// All metrics of an arm in the order of its document, made, not ready.
std::vector<ArmMetric> arm_metrics(const Document& document, const Registry& registry);

/// The folder of files that metrics need.
std::filesystem::path metric_folder(const Document& document);

/// An arm's metric whose files are there.
struct PresentMetric {
  std::string section;  // "metric.NAME"
  std::unique_ptr<Metric> metric;
  std::map<std::string, LocatedFile> files;  // of the metric, all there
};

/// The metrics of a job's arm whose files are those that the run has pinned in [experiment] inputs.
std::vector<PresentMetric> present_metrics(const JobContext& context);

/// The metrics of an arm whose files are there, ready to measure on this rank alone.
class ReadyMetrics {
 public:
  /// Files are those that the run has pinned in [experiment] inputs, on every rank alike.
  explicit ReadyMetrics(const JobContext& context);
  /// Of these only those of the sections named.
  ReadyMetrics(const JobContext& context, const std::set<std::string>& sections);
  ReadyMetrics(const ReadyMetrics&) = delete;
  ReadyMetrics& operator=(const ReadyMetrics&) = delete;

  const std::vector<std::unique_ptr<Metric>>& metrics() const { return metrics_; }

 private:
  Communicator alone_ = Communicator::self();
  std::list<MetricContext> contexts_;  // which outlive the metrics
  std::vector<std::unique_ptr<Metric>> metrics_;
};

}  // namespace svi
