// long_range_coherence: similarity of frames against their distance in time, as users of VBench
// asked for it (VBench issue 206): DINO's cosines of all pairs of frames that lie so far apart.
#include <ATen/ATen.h>

#include <algorithm>
#include <deque>
#include <svi/plugin/registry.hpp>

#include "frame_values.hpp"
#include "networks.hpp"
#include "registration.hpp"

namespace svi::vbench {
namespace {

/// Keeps the features of as many frames as the longest distance.
class CoherenceSession final : public MetricSession {
 public:
  CoherenceSession(std::shared_ptr<FrameNetwork> network, std::vector<std::int64_t> lags)
      : network_(std::move(network)), lags_(std::move(lags)), pairs_(lags_.size()) {}

  void add(const ClipView& clip, MetricSink&) override {
    const auto features = network_->features(clip.frames).to(at::kDouble);  // [T, D]
    for (std::int64_t t = 0; t < features.size(0); ++t) {
      const auto length = features[t].norm();
      kept_.push_front(features[t] / length.clamp_min(1e-12));
      for (std::size_t i = 0; i < lags_.size(); ++i) {
        const auto lag = static_cast<std::size_t>(lags_[i]);
        if (lag < kept_.size()) pairs_[i].add(kept_[0].dot(kept_[lag]).item<double>());
      }
      if (kept_.size() > static_cast<std::size_t>(lags_.back())) kept_.pop_back();
    }
  }

  /// A distance that no two frames of the film have gives no number and does not count in the mean.
  void finish(const FilmView&, MetricSink& sink) override {
    Mean all;
    for (std::size_t i = 0; i < lags_.size(); ++i) {
      if (pairs_[i].count == 0) continue;
      sink.film(i + 1, pairs_[i].value());
      all.add(pairs_[i].value());
    }
    if (all.count == 0) return;
    sink.film(0, all.value());
    sink.film_features(0, all.row(), {});
  }

 private:
  std::shared_ptr<FrameNetwork> network_;
  std::vector<std::int64_t> lags_;  // ascending
  std::vector<Mean> pairs_;         // of each
  std::deque<at::Tensor> kept_;     // [D] of length 1, the newest first
};

/// `long_range_coherence`: a film's number is the mean over distances; `coherence_at_N` are the
/// curve.
class LongRangeCoherence final : public Metric {
 public:
  struct Config {
    std::string file;
    std::vector<std::int64_t> lags = {2, 5, 10, 20, 50};

    void describe(OptionVisitor& visit) {
      visit(file, {.key = "file",
                   .help = "DINO's weights by their official names; empty: the official file in "
                           "the folder of [evaluation] weights"});
      visit(lags, {.key = "lags",
                   .help = "distances in time at which frames are compared, ascending",
                   .unit = "frames",
                   .min = 1,
                   .max = 10000});
    }
    std::string problem() const {
      const auto repeated = std::adjacent_find(lags.begin(), lags.end(), std::greater_equal<>());
      return lags.empty() || repeated != lags.end() ? "lags: give one or more, each above the last"
                                                    : "";
    }
  };

  explicit LongRangeCoherence(Config config) : config_(std::move(config)) {}

  std::vector<Quantity> quantities() const override {
    const auto film = [](const std::string& name, const std::string& meaning) {
      return Quantity{
          .name = name, .unit = "1", .meaning = meaning, .per_clip = false, .per_film = true};
    };
    std::vector<Quantity> all = {film("long_range_coherence",
                                      "mean over distances in time of the cosine similarity of two "
                                      "frames so far apart, in DINO ViT-B/16")};
    all[0].film_features = 2;
    all[0].set_value = SetValue::own;
    for (const auto lag : config_.lags) {
      const auto distance = std::to_string(lag);
      all.push_back(film("coherence_at_" + distance,
                         "mean cosine similarity of frames " + distance + " apart, in DINO"));
    }
    return all;
  }
  std::vector<MetricFile> needs() const override { return {dino_file(config_.file)}; }
  void ready(const MetricContext& context) override {
    network_ = dino_whole(context, config_.file.empty());
  }
  std::unique_ptr<MetricSession> open() const override {
    return std::make_unique<CoherenceSession>(network_, config_.lags);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return mean_of_films(shown);
  }

 private:
  Config config_;
  std::shared_ptr<FrameNetwork> network_;
};

}  // namespace

void add_coherence(Registrar& registrar) {
  registrar.add<Metric, LongRangeCoherence>(
      "long_range_coherence", "similarity of frames against their distance in time, by DINO");
}

}  // namespace svi::vbench
