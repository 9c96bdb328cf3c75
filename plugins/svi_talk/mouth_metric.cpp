// mouth: how far the drawn mouth of a `talking_face` is open, and by how many frames it is late.
#include "mouth_metric.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <svi/metric/metric.hpp>

#include "drawn_mouth.hpp"
#include "lag/lag_session.hpp"

namespace {

class MouthSession final : public svi::follow::LagSession {
  enum : std::size_t { kGap = 2 };

 public:
  using LagSession::LagSession;

 private:
  std::pair<at::Tensor, at::Tensor> series(const svi::ClipView& clip) override {
    if (!place_) place_ = svi::face::find(clip.truth.select(1, 0));
    return {svi::face::opening(clip.frames, *place_).unsqueeze(1),
            svi::face::opening(clip.truth, *place_).unsqueeze(1)};
  }
  void further(const at::Tensor& shown, const at::Tensor& truth, svi::MetricSink& sink) override {
    sink.clip(kGap, (shown - truth).abs().mean().item<double>());
  }
  std::size_t further_count() const override { return 1; }

  std::optional<svi::face::Place> place_;  // of the film's face: heads keep still
};

/// `mouth_lag`, `mouth_lag_confidence`, `mouth_gap`.
class MouthMetric final : public svi::Metric {
 public:
  using Config = svi::follow::LagOptions;

  explicit MouthMetric(Config config) : config_(config) {}

  std::vector<svi::Quantity> quantities() const override {
    auto all = svi::follow::lag_quantities("mouth", "the opening of the drawn mouth");
    all.push_back({.name = "mouth_gap",
                   .unit = "1",
                   .meaning =
                       "mean distance of the drawn mouth's opening from the true one, 1: shut "
                       "in place of open",
                   .better = svi::Better::lower,
                   .needs_truth = true});
    return all;
  }
  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<MouthSession>(config_);
  }

 private:
  Config config_;
};

}  // namespace

void add_mouth_metric(svi::Registrar& registrar) {
  registrar.add<svi::Metric, MouthMetric>(
      "mouth", "whether the mouth of a talking_face moves with its sound");
}
