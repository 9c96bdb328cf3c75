#include "svi/guidance/guidance.hpp"

#include "svi/core/check.hpp"
#include "svi/guidance/builtins.hpp"
#include "svi/guidance/cfg.hpp"

namespace svi {

Guidance::~Guidance() = default;

std::vector<GuidancePass> Guidance::passes(const GuidanceStep& step, const Condition& positive,
                                           const Condition& negative) const {
  auto made = do_passes(step, positive, negative);
  SVI_CHECK(!made.empty(), "the guidance makes no pass at step ", step.index);
  return made;
}

std::vector<GuidancePass> NoGuidance::do_passes(const GuidanceStep&, const Condition& positive,
                                                const Condition&) const {
  return {{"positive", positive}};
}

std::vector<GuidancePass> ClassifierFreeGuidance::do_passes(const GuidanceStep& step,
                                                            const Condition& positive,
                                                            const Condition& negative) const {
  const bool inside = step.sigma >= config_.sigma_low && step.sigma <= config_.sigma_high;
  if (config_.scale == 1.0 || !inside) return {{"positive", positive}};
  SVI_CHECK(!negative.empty(), "classifier-free guidance needs a negative condition");
  return {{"negative", negative}, {"positive", positive, config_.scale}};
}

void register_guidance(Registrar& registrar) {
  registrar.add<Guidance, NoGuidance>("none", "one pass a step, told the condition");
  registrar.add<Guidance, ClassifierFreeGuidance>(
      "cfg", "classifier-free guidance, at all flow times or in an interval of them");
}

}  // namespace svi
