// dynamic_degree: whether a film moves, by RAFT's flow between about eight frames a second.
//
// The rule is that of VBench (Huang et al. 2024, arXiv 2311.17982; facts from its code, version
// 0.1.5).
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <svi/core/check.hpp>
#include <svi/plugin/registry.hpp>
#include <vector>

#include "vbench/frame_values.hpp"
#include "vbench/long/long_dimension.hpp"
#include "vbench/motion/flow_strength.hpp"
#include "vbench/motion/motion_rules.hpp"
#include "vbench/registration.hpp"

namespace svi::vbench {
namespace {

using vision::Raft;

struct DynamicDegreeConfig : RaftOptions {
  std::int64_t interval = 0;
  bool every_pair = false;

  void describe(OptionVisitor& visit) {
    RaftOptions::describe(visit);
    visit(interval, {.key = "interval",
                     .help = "from one frame that is looked at to the next; 0: VBench's, about "
                             "eight frames a second, and every frame where the rate is not known",
                     .unit = "frames",
                     .min = 0});
    visit(every_pair, {.key = "every_pair",
                       .help = "look at every pair of frames, also when the answer is known: gives "
                               "flow_strength too"});
  }
};

class DynamicDegreeSession final : public MetricSession {
 public:
  DynamicDegreeSession(std::shared_ptr<Raft> network, const DynamicDegreeConfig& config)
      : network_(std::move(network)), config_(config) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    if (interval_ == 0) begin(clip);
    std::vector<double> strengths(static_cast<std::size_t>(clip.frames.size(1)), kUndefined);
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      if ((clip.first_frame + t) % interval_ != 0 || decided_) continue;
      strengths[static_cast<std::size_t>(t)] = look(clip.frames.select(1, t));
    }
    if (config_.every_pair) sink.frames(1, strengths);
  }

  void finish(const FilmView& film, MetricSink& sink) override {
    if (film.frames == 0) return;
    Mean moves;
    moves.add(strengths_.count > 0 && moving_ >= needed(film.frames) ? 1 : 0);
    give_film(0, moves, sink);
    if (config_.every_pair) give_film(1, strengths_, sink);
  }

 private:
  void begin(const ClipView& clip) {
    interval_ = config_.interval > 0 ? config_.interval : dynamic_degree::interval(clip.fps);
    limit_ = dynamic_degree::limit(clip.frames.size(2), clip.frames.size(3));
    enough_ = clip.film_frames > 0 && !config_.every_pair
                  ? needed(clip.film_frames)
                  : std::numeric_limits<std::int64_t>::max();
  }

  /// Pairs that must move in a film of so many frames.
  std::int64_t needed(std::int64_t frames) const {
    return dynamic_degree::needed_pairs(dynamic_degree::looked_at(frames, interval_));
  }

  double look(const at::Tensor& frame) {
    auto seen = network_->look(frame);
    double strength = kUndefined;
    if (before_.image.defined()) {
      const auto flow = network_->flow(before_, seen, config_.iterations);
      strength = flow_strength(flow, dynamic_degree::kShare);
      strengths_.add(strength);
      if (strength > limit_) ++moving_;
      decided_ = moving_ >= enough_;  // a film that turns out shorter needs no more than that
    }
    before_ = std::move(seen);
    return strength;
  }

  std::shared_ptr<Raft> network_;
  DynamicDegreeConfig config_;
  Raft::Frame before_;
  std::int64_t interval_ = 0, moving_ = 0, enough_ = 0;
  double limit_ = 0;
  Mean strengths_;
  bool decided_ = false;
};

/// `dynamic_degree`: 1 for a film that moves, 0 for one that does not; of a set the share of films
/// that move.
class DynamicDegree final : public Metric {
 public:
  using Config = DynamicDegreeConfig;

  explicit DynamicDegree(Config config) : config_(std::move(config)) {}

  std::vector<Quantity> quantities() const override {
    std::vector<Quantity> all = {
        {.name = "dynamic_degree",
         .unit = "1",
         .meaning = "whether the film moves, by RAFT's flow: 1 or 0; of a set the share that does",
         .per_clip = false,
         .per_film = true,
         .film_features = 2,
         .set_value = SetValue::own}};
    if (config_.every_pair) {
      all.push_back({.name = "flow_strength",
                     .unit = "px",
                     .meaning = "mean length of the fastest twentieth of RAFT's flow, from the "
                                "frame looked at before",
                     .per_frame = true,
                     .per_clip = false,
                     .per_film = true,
                     .film_features = 2,
                     .set_value = SetValue::own});
    }
    return all;
  }
  std::vector<MetricFile> needs() const override { return {raft_things(config_.file)}; }
  void ready(const MetricContext& context) override { network_ = shared_raft(context); }
  std::unique_ptr<MetricSession> open() const override {
    return std::make_unique<DynamicDegreeSession>(network_, config_);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return mean_of_films(shown);
  }

 private:
  Config config_;
  std::shared_ptr<Raft> network_;
};

}  // namespace

void add_dynamic_degree(Registrar& registrar) {
  registrar.add<Metric, DynamicDegree>("dynamic_degree",
                                       "VBench's dynamic degree: whether a film moves (RAFT)");
  registrar.add<Metric, LongDimension<DynamicDegree>>(
      "long_dynamic_degree", "VBench-Long: how many clips of a long film move, clip by clip");
}

}  // namespace svi::vbench
