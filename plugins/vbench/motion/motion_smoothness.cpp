// motion_smoothness: how well every second frame follows from its neighbours, by AMT-S.
//
// The score is that of VBench (Huang et al. 2024, arXiv 2311.17982; facts from its code, version
// 0.1.5): even frames in, odd frames predicted, their mean absolute difference in 8-bit levels.
#include <ATen/ATen.h>

#include <svi/core/check.hpp>
#include <svi/metric/metric.hpp>
#include <svi/plugin/registry.hpp>
#include <vector>

#include "vbench/frame_values.hpp"
#include "vbench/long/long_dimension.hpp"
#include "vbench/registration.hpp"
#include "vision/flow/amt.hpp"
#include "vision/preprocess.hpp"

namespace svi::vbench {
namespace {

using vision::Amt;

struct MotionSmoothnessConfig {
  std::string file;

  void describe(OptionVisitor& visit) {
    visit(file, {.key = "file",
                 .help = "AMT-S's weights in the official names; empty: amt-s.pth in the folder of "
                         "[evaluation] weights"});
  }
};

class MotionSmoothnessSession final : public FrameValues {
 public:
  explicit MotionSmoothnessSession(std::shared_ptr<Amt> network) : network_(std::move(network)) {}

 private:
  /// The number of a predicted frame stands at the frame behind it.
  std::vector<double> measure(const ClipView& clip) override {
    std::vector<double> values(static_cast<std::size_t>(clip.frames.size(1)), kUndefined);
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      const auto frame = clip.frames.select(1, t).clone();  // a view would keep all of the clip
      if ((clip.first_frame + t) % 2 != 0) {
        odd_ = frame;
        continue;
      }
      if (even_.defined()) {
        const double gap = difference(network_->between(even_, frame), odd_);
        values[static_cast<std::size_t>(t)] = (255 - gap) / 255;
      }
      even_ = frame;
    }
    return values;
  }

  /// Mean absolute difference in levels; those of the prediction are rounded down.
  static double difference(const at::Tensor& predicted, const at::Tensor& real) {
    const auto levels = (predicted.cpu() * 255).clamp_(0, 255).floor_();
    return (levels - vision::levels(real)).abs_().mean(at::kDouble).item<double>();
  }

  std::shared_ptr<Amt> network_;
  at::Tensor even_, odd_;  // the last ones seen
};

/// `motion_smoothness`: 1 where every odd frame is the one that AMT-S makes of its neighbours.
class MotionSmoothness final : public OneNetworkMetric<MotionSmoothnessSession, Amt> {
 public:
  using Config = MotionSmoothnessConfig;

  explicit MotionSmoothness(Config config) : config_(std::move(config)) {}

  std::vector<Quantity> quantities() const override {
    return {frame_quantity("motion_smoothness",
                           "one minus the mean difference of odd frames from what AMT-S makes of "
                           "their neighbours; stands at the frame behind the odd one")};
  }
  std::vector<MetricFile> needs() const override {
    return {{.name = "amt",
             .what = "AMT-S, trained on Vimeo-90K",
             .file = "amt-s.pth",
             .source = "https://huggingface.co/lalala125/AMT (CC BY-NC 4.0), about 12 MB",
             .given = config_.file,
             .option = "file"}};
  }
  void ready(const MetricContext& context) override {
    const auto& file = context.file("amt");
    network_ = context.features.get<Amt>("amt-s", file.sha256, [&] {
      return std::make_shared<Amt>(vision::Weights::open(file.path, context.device));
    });
  }

 private:
  Config config_;
};

}  // namespace

void add_motion_smoothness(Registrar& registrar) {
  registrar.add<Metric, MotionSmoothness>(
      "motion_smoothness", "VBench's motion smoothness: odd frames against AMT-S's guesses");
  registrar.add<Metric, LongDimension<MotionSmoothness>>(
      "long_motion_smoothness", "VBench-Long: how smoothly a long film moves, clip by clip");
}

}  // namespace svi::vbench
