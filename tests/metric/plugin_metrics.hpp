#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <list>
#include <memory>
#include <string>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/metric/metric.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {

/// Tests of metrics that need files: they are made ready as an experiment does it.
class FileMetrics : public ::testing::Test {
 protected:
  /// With its files, of which those that no option names are in `weights`, or in folder_.
  void make_ready(Metric& metric, const std::filesystem::path& weights = {}) {
    contexts_.push_back({at::kCPU, alone_, 0, store_, {}});
    for (const auto& need : metric.needs()) {
      auto& file = contexts_.back().files[need.name];
      file = locate(need, weights.empty() ? folder_.path() : weights);
      EXPECT_EQ(file.problem, "") << need.name;
    }
    metric.ready(contexts_.back());
  }

  TemporaryFolder folder_;
  FeatureStore store_;
  Communicator alone_ = Communicator::self();
  std::list<MetricContext> contexts_;
};

/// Tests of a plugin's metrics, which are made of INI text.
class PluginMetrics : public FileMetrics {
 protected:
  explicit PluginMetrics(const std::string& plugin) { load_plugin(plugin, registry_); }

  std::unique_ptr<Metric> make(const std::string& name, const std::string& options = "") {
    const auto section = "metric." + name;
    return registry_.make<Metric>(Document::parse(cat("[", section, "]\n", options), "test.ini"),
                                  name, nullptr, section);
  }
  std::unique_ptr<Metric> ready(const std::string& name, const std::string& options = "",
                                const std::filesystem::path& weights = {}) {
    auto metric = make(name, options);
    make_ready(*metric, weights);
    return metric;
  }

  Registry registry_;
};

}  // namespace svi
