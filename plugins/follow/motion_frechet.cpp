// motion_frechet: how far pairs of frames of an arm's films are from true ones, as sets, in
// features of a fixed random network. An FVD that needs no weights, for worlds of a few pixels.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <svi/core/random.hpp>
#include <svi/metric/metric.hpp>
#include <svi/plugin/plugin.hpp>
#include <svi/tensor/random.hpp>

namespace {

constexpr std::int64_t kInside = 16, kFeatures = 12, kPairs = 3;
constexpr std::uint64_t kNetworkSeed = 0x6d6f74696f6e;

/// Two convolutions with ReLU and the mean over places; its weights are drawn once and for all.
class RandomNetwork {
 public:
  RandomNetwork()
      : first_(drawn(0, {kInside, 6, 5, 5})), second_(drawn(1, {kFeatures, kInside, 3, 3})) {}

  /// [N, 2 x 3, H, W] in [0, 1], to [N, kFeatures].
  at::Tensor look(const at::Tensor& pairs) const {
    const auto inside = at::relu(at::conv2d(pairs * 2 - 1, first_, {}, 2, 2));
    return at::relu(at::conv2d(inside, second_, {}, 2, 1)).mean(at::IntArrayRef{2, 3});
  }

 private:
  static at::Tensor drawn(std::uint32_t layer, at::IntArrayRef sizes) {
    const auto inputs = static_cast<double>(sizes[1] * sizes[2] * sizes[3]);
    return svi::normal({kNetworkSeed, svi::Purpose::weight_init, layer, 0}, sizes) *
           std::sqrt(2 / inputs);
  }

  at::Tensor first_, second_;
};

class MotionSession final : public svi::MetricSession {
 public:
  explicit MotionSession(std::shared_ptr<const RandomNetwork> network)
      : network_(std::move(network)) {}

  void add(const svi::ClipView& clip, svi::MetricSink& sink) override {
    const auto T = clip.frames.size(1), count = std::min(kPairs, T - 1);
    if (!clip.truth.defined() || count < 1) return;
    const auto seen = [&](const at::Tensor& frames) {
      std::vector<at::Tensor> pairs;  // the last ones of the clip
      for (auto t = T - 1 - count; t < T - 1; ++t)
        pairs.push_back(frames.narrow(1, t, 2).transpose(0, 1).flatten(0, 1));
      return network_->look(at::stack(pairs));
    };
    sink.features(0, seen(clip.frames), seen(clip.truth));
  }

 private:
  std::shared_ptr<const RandomNetwork> network_;
};

/// `motion_frechet`: the Frechet distance of pairs of frames that follow each other.
class MotionFrechet final : public svi::Metric {
 public:
  struct Config {
    void describe(svi::OptionVisitor&) {}
  };

  explicit MotionFrechet(Config) : network_(std::make_shared<const RandomNetwork>()) {}

  std::vector<svi::Quantity> quantities() const override {
    return {{.name = "motion_frechet",
             .unit = "1",
             .meaning = "Frechet distance of the clip's pairs of frames that follow each other, of "
                        "all scenes, from true ones, in 12 features of a fixed random network",
             .better = svi::Better::lower,
             .needs_truth = true,
             .features = kFeatures,
             .feature_frames = kPairs}};
  }
  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<MotionSession>(network_);
  }

 private:
  std::shared_ptr<const RandomNetwork> network_;
};

}  // namespace

SVI_PLUGIN("follow", "0.1.0", registrar) {
  registrar.add<svi::Metric, MotionFrechet>(
      "motion_frechet", "an FVD-like distance for small worlds, in features of a random network");
}
