#include "svi/injection/scheduled.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "injection/draw_detail.hpp"

namespace svi {

std::vector<std::string> enum_names(RampKind) { return {"linear", "cosine"}; }

void ScheduledInjection::Config::describe(OptionVisitor& visit) {
  base.describe(visit);
  visit(ramp, {.key = "ramp", .help = "shape of the ramp"});
  visit(ramp_begin, {.key = "ramp_begin",
                     .help = "beginning of the ramp",
                     .unit = "fraction of training",
                     .min = 0,
                     .max = 1});
  visit(ramp_end, {.key = "ramp_end",
                   .help = "end of the ramp",
                   .unit = "fraction of training",
                   .min = 0,
                   .max = 1});
  visit(probability_start, {.key = "probability_start",
                            .help = "factor on the three probabilities before the ramp",
                            .min = 0});
  visit(probability_end, {.key = "probability_end",
                          .help = "factor on the three probabilities after the ramp",
                          .min = 0});
  visit(strength_start, {.key = "strength_start",
                         .help = "factor on every recalled error before the ramp",
                         .min = 0});
  visit(strength_end,
        {.key = "strength_end", .help = "factor on every recalled error after the ramp", .min = 0});
}

std::string ScheduledInjection::Config::problem() const {
  if (ramp_begin > ramp_end) return "ramp_begin is after ramp_end";
  return base.problem();
}

Injection ScheduledInjection::do_draw(const SampleView& sample) const {
  const double done = static_cast<double>(sample.step) / static_cast<double>(sample.total_steps);
  double ramp = done < config_.ramp_end ? 0 : 1;
  if (config_.ramp_end > config_.ramp_begin) {
    ramp =
        std::clamp((done - config_.ramp_begin) / (config_.ramp_end - config_.ramp_begin), 0.0, 1.0);
  }
  if (config_.ramp == RampKind::cosine) ramp = 0.5 - 0.5 * std::cos(std::numbers::pi * ramp);
  const auto mix = [&](double start, double end) { return start + (end - start) * ramp; };
  return detail::draw_bernoulli(config_.base, sample,
                                mix(config_.probability_start, config_.probability_end),
                                mix(config_.strength_start, config_.strength_end));
}

}  // namespace svi
