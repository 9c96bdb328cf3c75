#pragma once

#include <cstdint>

#include "lag/lag_correlation.hpp"
#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi::follow {

/// Options of metrics that look for a lag.
struct LagOptions {
  std::int64_t longest = 10;

  void describe(OptionVisitor& visit);
};

/// `NAME_lag` and `NAME_lag_confidence`: numbers of a clip are those of the film so far, up to its
/// end, so that clip N tells of films of N clips.
std::vector<Quantity> lag_quantities(const std::string& name, const std::string& what);

/// Measures both, as quantities 0 and 1, of what a derived class sees in frames.
class LagSession : public MetricSession {
 public:
  explicit LagSession(const LagOptions& options) : lags_(options.longest) {}

  void add(const ClipView& clip, MetricSink& sink) override;

 private:
  /// What is followed, in frames [3, T, H, W] of the film and of the truth: [T, P] each.
  virtual std::pair<at::Tensor, at::Tensor> series(const ClipView& clip) = 0;
  /// Further quantities of the clip, of the same series. Gives none if not overridden.
  virtual void further(const at::Tensor& shown, const at::Tensor& truth, MetricSink& sink);
  /// How many further quantities there are.
  virtual std::size_t further_count() const { return 0; }

  LagCorrelation lags_;
};

}  // namespace svi::follow
