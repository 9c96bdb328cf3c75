#include "lag/lag_session.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "svi/core/check.hpp"

namespace svi::follow {

void LagOptions::describe(OptionVisitor& visit) {
  visit(longest, {.key = "longest",
                  .help = "lags of up to so many frames are tried, to both sides",
                  .unit = "frames",
                  .min = 1,
                  .max = 1000});
}

std::vector<Quantity> lag_quantities(const std::string& name, const std::string& what) {
  return {{.name = name + "_lag",
           .unit = "frames",
           .meaning = "frames by which " + what +
                      " is late, by the highest correlation with the truth over the film so far; "
                      "0 is best, below 0 is early",
           .better = Better::lower,
           .needs_truth = true},
          {.name = name + "_lag_confidence",
           .unit = "1",
           .meaning = "highest correlation of " + what +
                      " with the truth, less the median over lags, over the film so far",
           .needs_truth = true}};
}

void LagSession::further(const at::Tensor&, const at::Tensor&, MetricSink&) {}

void LagSession::add(const ClipView& clip, MetricSink& sink) {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  if (!clip.truth.defined()) {
    for (std::size_t i = 0; i < 2 + further_count(); ++i) sink.clip(i, kUnknown);
    return;
  }
  const auto [shown, truth] = series(clip);
  SVI_CHECK(shown.dim() == 2 && shown.sizes() == truth.sizes(), "series of ", shown.sizes());
  for (std::int64_t t = 0; t < shown.size(0); ++t) lags_.add(shown[t], truth[t]);
  const auto lag = lags_.lag();
  sink.clip(0, std::isnan(lag.confidence) ? kUnknown : static_cast<double>(lag.frames));
  sink.clip(1, lag.confidence);
  further(shown, truth, sink);
}

}  // namespace svi::follow
