#pragma once

#include <list>
#include <memory>
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

/// The metrics of an arm whose files are there, ready to measure on this rank alone.
class ReadyMetrics {
 public:
  /// Files are those that the run has pinned in [experiment] inputs, on every rank alike.
  explicit ReadyMetrics(const JobContext& context);
  ReadyMetrics(const ReadyMetrics&) = delete;
  ReadyMetrics& operator=(const ReadyMetrics&) = delete;

  const std::vector<std::unique_ptr<Metric>>& metrics() const { return metrics_; }

 private:
  Communicator alone_ = Communicator::self();
  std::list<MetricContext> contexts_;  // which outlive the metrics
  std::vector<std::unique_ptr<Metric>> metrics_;
};

}  // namespace svi
