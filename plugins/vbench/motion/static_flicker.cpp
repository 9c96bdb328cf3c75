// static_flicker: temporal flickering of the films that VBench's static filter lets pass.
//
// VBench (Huang et al. 2024, arXiv 2311.17982) measures flicker only on films that hardly move;
// rule and constants are facts from its code, version 0.1.5.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <svi/core/check.hpp>
#include <svi/plugin/registry.hpp>

#include "vbench/frame_values.hpp"
#include "vbench/long/long_dimension.hpp"
#include "vbench/motion/flow_strength.hpp"
#include "vbench/motion/motion_rules.hpp"
#include "vbench/registration.hpp"
#include "vision/preprocess.hpp"

namespace svi::vbench {
namespace {

using vision::Raft;

class StaticFlickerSession final : public MetricSession {
 public:
  StaticFlickerSession(std::shared_ptr<Raft> network, std::int64_t iterations)
      : network_(std::move(network)), iterations_(iterations) {}

  void add(const ClipView& clip, MetricSink&) override {
    height_ = clip.frames.size(2);
    width_ = clip.frames.size(3);
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      look(clip.frames.select(1, t));
      if (clip.film_frames > 0 && moving_ > static_filter::allowed_pairs(clip.film_frames))
        moves_ = true;
    }
  }

  void finish(const FilmView& film, MetricSink& sink) override {
    if (film.frames < 2) return;
    const bool is_static =
        !moves_ && moving_ <= static_filter::allowed_pairs(film.frames) && returns(film.frames);
    Mean passes, steadiness;
    passes.add(is_static ? 1 : 0);
    give_film(0, passes, sink);
    if (!is_static) return;
    steadiness.add((255 - changes_.value()) / 255);
    give_film(1, steadiness, sink);
  }

 private:
  void look(const at::Tensor& frame) {
    if (moves_) return;  // nothing else is asked of such a film
    const auto levels = vision::levels(frame);
    auto seen = network_->look(frame);
    if (last_.image.defined()) {
      changes_.add((levels - levels_).abs_().mean().item<float>());
      if (strength(last_, seen) > static_filter::limit(height_, width_)) ++moving_;
    } else {
      first_ = seen;
    }
    last_ = std::move(seen);
    levels_ = levels;
  }

  double strength(const Raft::Frame& from, const Raft::Frame& to) const {
    return flow_strength(network_->flow(from, to, iterations_), static_filter::kShare);
  }

  /// Whether the last frame is still near the first.
  bool returns(std::int64_t frames) const {
    const auto limit = static_filter::limit_of_ends(height_, width_, frames);
    return !(strength(first_, last_) > limit || strength(last_, first_) > limit);
  }

  std::shared_ptr<Raft> network_;
  std::int64_t iterations_;
  Raft::Frame first_, last_;
  at::Tensor levels_;  // [3, H, W] of the last frame
  std::int64_t height_ = 0, width_ = 0, moving_ = 0;
  Mean changes_;
  bool moves_ = false;
};

/// `static_film` and `static_flicker`: whether a film stands still, and how little it flickers.
class StaticFlicker final : public Metric {
 public:
  using Config = RaftOptions;

  explicit StaticFlicker(Config config) : config_(std::move(config)) {}

  std::vector<Quantity> quantities() const override {
    return {{.name = "static_film",
             .unit = "1",
             .meaning = "whether the film passes VBench's static filter: 1 or 0; of a set the "
                        "share that does",
             .per_clip = false,
             .per_film = true,
             .film_features = 2,
             .set_value = SetValue::own},
            {.name = "static_flicker",
             .unit = "1",
             .meaning = "temporal flickering of a film that passes the filter, undefined for "
                        "others; of a set their mean",
             .per_clip = false,
             .per_film = true,
             .film_features = 2,
             .set_value = SetValue::own}};
  }
  std::vector<MetricFile> needs() const override { return {raft_things(config_.file)}; }
  void ready(const MetricContext& context) override { network_ = shared_raft(context); }
  std::unique_ptr<MetricSession> open() const override {
    return std::make_unique<StaticFlickerSession>(network_, config_.iterations);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return mean_of_films(shown);
  }

 private:
  Config config_;
  std::shared_ptr<Raft> network_;
};

}  // namespace

void add_static_flicker(Registrar& registrar) {
  registrar.add<Metric, StaticFlicker>(
      "static_flicker", "VBench's static filter, and temporal flickering behind it (RAFT)");
  registrar.add<Metric, LongDimension<StaticFlicker, 1>>(
      "long_static_flicker",
      "VBench-Long: flickering of the clips that pass the static filter, clip by clip");
}

}  // namespace svi::vbench
