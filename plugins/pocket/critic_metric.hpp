#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"
#include "svi/model/critic.hpp"

namespace svi {

/// `critic_quality`: what a Critic says of the clip's frames, and `critic_frechet`: how far the
/// frames of all scenes are, as a set, from the true ones, in the critic's features. The first
/// needs no truth. Neither sees time: a frozen film can be perfect in the first.
class CriticMetric final : public Metric {
 public:
  struct Config {
    std::string weights = "pocket";
    std::int64_t frames = 4;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  /// Reads how many features the file's critic has, if the file is there; throws IoError naming it
  /// if it holds no critic.
  explicit CriticMetric(Config config);
  std::vector<Quantity> quantities() const override;
  std::vector<MetricFile> needs() const override;
  void ready(const MetricContext& context) override;
  std::unique_ptr<MetricSession> open() const override;

 private:
  Config config_;
  std::int64_t features_;  // D; without the file, that of a critic of default sizes
  std::shared_ptr<const Critic> critic_;
};

}  // namespace svi
