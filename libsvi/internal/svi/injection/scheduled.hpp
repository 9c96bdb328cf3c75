#pragma once

#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/injection/bernoulli.hpp"

namespace svi {

/// The shape of a ramp over training.
enum class RampKind { linear, cosine };
SVI_EXPORT std::vector<std::string> enum_names(RampKind);

/// `bernoulli` with probabilities and scales that ramp over training.
///
/// Up to `ramp_begin` (a fraction of all steps) both factors stay at their start; from `ramp_end`
/// on they stay at their end.
class SVI_EXPORT ScheduledInjection final : public InjectionPolicy {
 public:
  struct Config {
    BernoulliInjection::Config base = {};  // the options of bernoulli
    RampKind ramp = RampKind::linear;
    double ramp_begin = 0;
    double ramp_end = 0.5;
    double probability_start = 0;
    double probability_end = 1;
    double strength_start = 1;
    double strength_end = 1;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  explicit ScheduledInjection(Config config) : config_(config) {}

 private:
  Injection do_draw(const SampleView& sample) const override;

  Config config_;
};

}  // namespace svi
