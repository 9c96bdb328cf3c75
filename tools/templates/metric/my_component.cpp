#include <ATen/ATen.h>

#include <svi/metric/metric.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

class MyComponentSession final : public svi::MetricSession {
 public:
  explicit MyComponentSession(double threshold) : threshold_(threshold) {}

  void add(const svi::ClipView& clip, svi::MetricSink& sink) override {
    const auto bright = clip.frames.mean(0).gt(threshold_).to(at::kDouble).mean({1, 2});  // [T]
    const auto* values = bright.const_data_ptr<double>();
    sink.frames(0, std::vector<double>(values, values + bright.numel()));
    sink.clip(0, bright.mean().item<double>());
  }

 private:
  double threshold_;
};

/// The share of a frame's pixels whose mean over the channels is above a threshold.
class MyComponent final : public svi::Metric {
 public:
  struct Config {
    double threshold = 0.5;

    void describe(svi::OptionVisitor& visit) {
      visit(threshold, {.key = "threshold",
                        .help = "pixels brighter than this count",
                        .unit = "share of white",
                        .min = 0,
                        .max = 1});
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

  std::vector<svi::Quantity> quantities() const override {
    return {{.name = "my_component",
             .unit = "1",
             .meaning = "share of bright pixels",
             .better = svi::Better::higher,
             .per_frame = true}};
  }
  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<MyComponentSession>(config_.threshold);
  }

 private:
  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::Metric, MyComponent>("my_component", "share of bright pixels");
}
