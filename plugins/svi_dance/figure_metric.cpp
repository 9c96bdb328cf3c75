// figure: by how many frames a person who is told a skeleton is late.
#include "figure_metric.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <svi/metric/metric.hpp>

#include "lag/lag_session.hpp"

namespace {

constexpr std::int64_t kPoolSide = 16;  // pixels of the picture that is followed, at most

/// Follows the whole picture: in `stick_figure` nothing but the person moves.
class FigureSession final : public svi::follow::LagSession {
 public:
  using LagSession::LagSession;

 private:
  std::pair<at::Tensor, at::Tensor> series(const svi::ClipView& clip) override {
    const auto pooled = [](const at::Tensor& frames) {  // [3, T, H, W] to [T, P]
      return at::adaptive_avg_pool2d(frames.transpose(0, 1), {std::min(kPoolSide, frames.size(2)),
                                                              std::min(kPoolSide, frames.size(3))})
          .flatten(1);
    };
    return {pooled(clip.frames), pooled(clip.truth)};
  }
};

/// `figure_lag`, `figure_lag_confidence`.
class FigureMetric final : public svi::Metric {
 public:
  using Config = svi::follow::LagOptions;

  explicit FigureMetric(Config config) : config_(config) {}

  std::vector<svi::Quantity> quantities() const override {
    return svi::follow::lag_quantities("figure", "the moving person");
  }
  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<FigureSession>(config_);
  }

 private:
  Config config_;
};

}  // namespace

void add_figure_metric(svi::Registrar& registrar) {
  registrar.add<svi::Metric, FigureMetric>(
      "figure", "whether the person of a stick_figure moves with the skeleton");
}
