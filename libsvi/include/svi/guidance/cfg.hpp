#pragma once

#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/guidance/guidance.hpp"

namespace svi {

/// No guidance: one pass a step, told the positive condition.
class SVI_EXPORT NoGuidance final : public Guidance {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };
  NoGuidance() = default;
  explicit NoGuidance(Config) {}

 private:
  std::vector<GuidancePass> do_passes(const GuidanceStep&, const Condition& positive,
                                      const Condition& negative) const override;
};

/// Classifier-free guidance (Ho and Salimans 2022): v = v_negative + scale (v_positive -
/// v_negative). One pass at scale 1 and outside the interval of flow times (Kynkaanniemi et al.
/// 2024), two inside.
class SVI_EXPORT ClassifierFreeGuidance final : public Guidance {
 public:
  struct Config {
    double scale = 5;
    double sigma_low = 0;
    double sigma_high = 1;

    void describe(OptionVisitor& visit) {
      visit(scale, {.key = "scale",
                    .help = "guidance scale; 1 is off and costs one pass a step, not two",
                    .min = 0,
                    .max = 100});
      visit(sigma_low, {.key = "sigma_low",
                        .help = "guide at flow times from here on; below, the scale is 1",
                        .min = 0,
                        .max = 1});
      visit(sigma_high, {.key = "sigma_high",
                         .help = "guide at flow times up to here; above, the scale is 1",
                         .min = 0,
                         .max = 1});
    }
    std::string problem() const {
      return sigma_low <= sigma_high ? "" : "sigma_low is above sigma_high";
    }
  };

  explicit ClassifierFreeGuidance(Config config) : config_(config) {}

 private:
  std::vector<GuidancePass> do_passes(const GuidanceStep& step, const Condition& positive,
                                      const Condition& negative) const override;
  Config config_;
};

}  // namespace svi
