// temporal_flickering: VBench's (Huang et al. 2024, arXiv 2311.17982) of whole
// films; the library's temporal_flicker gives the same clip by clip.
#include <ATen/ATen.h>

#include <svi/metric/temporal.hpp>
#include <svi/plugin/registry.hpp>

#include "frame_values.hpp"
#include "registration.hpp"
#include "vbench/long/long_dimension.hpp"

namespace svi::vbench {
namespace {

class FlickeringSession final : public FrameValues {
  std::vector<double> measure(const ClipView& clip) override {
    std::vector<double> values;
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      const auto now = (clip.frames.select(1, t).clamp(0, 1) * 255.0).round().to(at::kByte);
      values.push_back(before_.defined() ? svi::temporal_flickering(at::stack({before_, now}))
                                         : kUndefined);
      before_ = now;
    }
    return values;
  }

  at::Tensor before_;  // [3, H, W] uint8
};

/// `temporal_flickering`: a film's value is the mean over its pairs of
/// neighbouring frames, a set's over its films.
class FlickeringMetric final : public Metric {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };

  explicit FlickeringMetric(Config) {}
  std::vector<Quantity> quantities() const override {
    return {frame_quantity("temporal_flickering",
                           "one minus the mean absolute change from frame to frame")};
  }
  std::unique_ptr<MetricSession> open() const override {
    return std::make_unique<FlickeringSession>();
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return mean_of_films(shown);
  }
};

}  // namespace

void add_flickering(Registrar& registrar) {
  registrar.add<Metric, FlickeringMetric>(
      "temporal_flickering", "VBench: how little a film's pixels change from frame to frame");
  registrar.add<Metric, LongDimension<FlickeringMetric>>(
      "long_temporal_flickering", "VBench-Long: how little a long film flickers, clip by clip");
}

}  // namespace svi::vbench
