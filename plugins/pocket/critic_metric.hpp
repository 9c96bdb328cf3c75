#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"
#include "svi/model/critic.hpp"

namespace svi {

/// The file that `weights` of CriticMetric names; throws IoError if it is not there.
std::string critic_weights(const std::string& weights);

/// `critic_quality`: what a Critic says of the clip's frames, and `critic_frechet`: how far the
/// frames of all scenes are, as a set, from the true ones, in the critic's features. The first
/// needs no truth. Neither sees time: a frozen film can be perfect in the first.
class CriticMetric final : public Metric {
 public:
  struct Config {
    std::string weights = "pocket";
    std::int64_t frames = 4;

    void describe(OptionVisitor& visit);
  };

  /// Reads the weights; throws IoError that names the file.
  explicit CriticMetric(Config config);
  std::vector<Quantity> quantities() const override;
  std::vector<std::string> weights() const override;
  std::unique_ptr<MetricSession> open() const override;

 private:
  Config config_;
  std::shared_ptr<const Critic> critic_;
};

}  // namespace svi
