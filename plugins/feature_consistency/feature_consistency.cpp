// feature_consistency: how steadily a film keeps showing the same things, in the features of
// AlexNet's convolutions.
//
// The score's form is that of VBench's subject and background consistency (Huang et al. 2024, arXiv
// 2311.17982); the network is AlexNet (Krizhevsky 2014, arXiv 1404.5997) in torchvision's sizes and
// names.
#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <svi/core/check.hpp>
#include <svi/io/weight_files.hpp>
#include <svi/metric/metric.hpp>
#include <svi/model/weights.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kFramesAtOnce = 16;  // bounds memory; never more than one clip

/// One convolution of the trunk and what follows it; ReLU always does.
struct Layer {
  const char* name;  // in the file: NAME.weight [out, in, size, size], NAME.bias [out]
  std::int64_t in, out, size, stride, padding;
  bool pool;  // 3 x 3 maximum at every second place
};
constexpr std::array<Layer, 5> kTrunk = {{{"features.0", 3, 64, 11, 4, 2, true},
                                          {"features.3", 64, 192, 5, 1, 2, true},
                                          {"features.6", 192, 384, 3, 1, 1, false},
                                          {"features.8", 384, 256, 3, 1, 1, false},
                                          {"features.10", 256, 256, 3, 1, 1, false}}};

/// The convolutions of AlexNet on frames of one short side; a frame's features [256] are the means
/// over places of the last one's output.
class AlexNetTrunk final : public svi::FeatureExtractor {
 public:
  AlexNetTrunk(const std::string& path, std::int64_t side, at::Device device)
      : side_(side), device_(device) {
    for (const auto& layer : kTrunk) {
      const auto name = std::string(layer.name);
      const auto options = at::TensorOptions(at::kFloat).device(device);
      weights_.push_back(
          {name + ".weight", at::empty({layer.out, layer.in, layer.size, layer.size}, options)});
      weights_.push_back({name + ".bias", at::empty({layer.out}, options)});
    }
    svi::NamedTensors stored;  // the classifier's layers are not used
    for (auto& tensor : svi::open_weights(path)) {
      if (tensor.first.starts_with("features.")) stored.push_back(tensor);
    }
    svi::load_strict(weights_, stored, path);
  }

 private:
  at::Tensor compute(const at::Tensor& frames) override {  // [3, T, H, W] in [0, 1]
    std::vector<at::Tensor> features;
    for (const auto& some : frames.split(kFramesAtOnce, 1))
      features.push_back(look(prepared(some.transpose(0, 1).to(device_))));
    return at::cat(features).cpu();  // [T, 256]
  }

  /// The short side becomes `side`, the long one in proportion, rounded down; then ImageNet's
  /// normalisation.
  at::Tensor prepared(const at::Tensor& frames) const {  // [T, 3, H, W]
    const auto H = frames.size(2), W = frames.size(3), shorter = std::min(H, W);
    const auto scaled = [&](std::int64_t length) {
      return length == shorter ? side_
                               : static_cast<std::int64_t>(static_cast<double>(side_ * length) /
                                                           static_cast<double>(shorter));
    };
    const auto resized = shorter == side_ ? frames
                                          : at::upsample_bilinear2d(frames.contiguous(),
                                                                    {scaled(H), scaled(W)}, false);
    const auto channels = [&](std::array<float, 3> values) {
      return at::tensor(at::ArrayRef<float>(values)).view({1, 3, 1, 1}).to(device_);
    };
    return (resized - channels({0.485F, 0.456F, 0.406F})) / channels({0.229F, 0.224F, 0.225F});
  }

  at::Tensor look(at::Tensor x) const {  // [T, 3, h, w] to [T, 256]
    for (std::size_t i = 0; i < kTrunk.size(); ++i) {
      const auto& layer = kTrunk[i];
      x = at::relu(at::conv2d(x, weights_[2 * i].second, weights_[2 * i + 1].second, layer.stride,
                              layer.padding));
      if (layer.pool) x = at::max_pool2d(x, 3, 2);
    }
    return x.mean({2, 3});
  }

  std::int64_t side_;
  at::Device device_;
  svi::NamedTensors weights_;  // of kTrunk in its order: weight, bias, weight, ...
};

/// Cosine of the angle between two vectors; 0 where one of them is 0.
double cosine(const at::Tensor& a, const at::Tensor& b) {
  const auto product = a.dot(b).item<double>();
  const auto lengths = a.norm().item<double>() * b.norm().item<double>();
  return lengths > 0 ? product / lengths : 0;
}

class Session final : public svi::MetricSession {
 public:
  explicit Session(std::shared_ptr<AlexNetTrunk> network) : network_(std::move(network)) {}

  void add(const svi::ClipView& clip, svi::MetricSink& sink) override {
    const auto features = network_->features(clip.frames).to(at::kDouble);  // [T, 256]
    std::vector<double> values;
    for (std::int64_t t = 0; t < features.size(0); ++t) {
      const auto now = features[t];
      if (!first_.defined()) {
        first_ = before_ = now;
        values.push_back(kUndefined);
        continue;
      }
      values.push_back((std::max(0.0, cosine(before_, now)) + std::max(0.0, cosine(first_, now))) /
                       2);
      sum_ += values.back();
      ++count_;
      before_ = now;
    }
    sink.frames(0, values);
  }

  void finish(const svi::FilmView&, svi::MetricSink& sink) override {
    if (count_ == 0) return;  // a film of one frame, or of none, is undefined
    sink.film(0, sum_ / static_cast<double>(count_));
    sink.film_features(0, at::tensor({sum_, static_cast<double>(count_)}, at::kDouble).view({1, 2}),
                       {});
  }

 private:
  std::shared_ptr<AlexNetTrunk> network_;
  at::Tensor first_, before_;  // [256] fp64: features of the film's first frame, of the last seen
  double sum_ = 0;
  std::int64_t count_ = 0;  // pairs
};

/// `feature_consistency`: mean over a film's frames, without the first, of the cosine similarity of
/// their features to those of the frame before and of the first frame, each at least 0.
class FeatureConsistency final : public svi::Metric {
 public:
  struct Config {
    std::string file;
    std::string sha256;
    std::int64_t side = 224;

    void describe(svi::OptionVisitor& visit) {
      visit(file, {.key = "file",
                   .help = "AlexNet's weights in torchvision's names, .pth or .safetensors; empty: "
                           "torchvision's file in the folder of [evaluation] weights"});
      visit(sha256, {.key = "sha256",
                     .help = "SHA-256 that the named file must have, or its first digits; empty: "
                             "any file"});
      visit(side, {.key = "side",
                   .help = "frames are resized so that their short side has this length",
                   .unit = "px",
                   .min = 63,
                   .max = 4096});
    }
    std::string problem() const {
      if (sha256.empty()) return "";
      if (file.empty()) return "sha256 is that of file, which is not given";
      const bool digits = sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
      return digits && sha256.size() <= 64
                 ? ""
                 : "sha256 = " + sha256 + ": use up to 64 of the digits 0-9 and a-f";
    }
  };

  explicit FeatureConsistency(Config config) : config_(std::move(config)) {}

  std::vector<svi::Quantity> quantities() const override {
    return {{.name = "feature_consistency",
             .unit = "1",
             .meaning = "mean cosine similarity of a frame's features to those of the frame before "
                        "and of the first frame, in AlexNet's convolutions",
             .per_frame = true,
             .per_clip = false,
             .per_film = true,
             .film_features = 2,
             .set_value = svi::SetValue::own}};
  }

  std::vector<svi::MetricFile> needs() const override {
    const bool official = config_.file.empty();
    return {
        {.name = "alexnet",
         .what = "AlexNet trained on ImageNet, torchvision's IMAGENET1K_V1",
         .file = "alexnet-owt-7be5be79.pth",
         .bytes = 244408911,
         .sha256 = official ? "7be5be79" : config_.sha256,
         .source = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth (BSD-3-Clause)",
         .given = config_.file,
         .option = "file"}};
  }

  void ready(const svi::MetricContext& context) override {
    const auto& file = context.file("alexnet");
    network_ = context.features.get<AlexNetTrunk>(
        svi::cat("alexnet trunk, mean over places, short side ", config_.side), file.sha256,
        [&] { return std::make_shared<AlexNetTrunk>(file.path, config_.side, context.device); });
  }

  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<Session>(network_);
  }

  /// Over all films, each pair of frames counting once: rows are a film's sum and number of pairs.
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    if (shown.size(0) == 0) return kUndefined;
    const auto total = shown.sum(0);
    return total[0].item<double>() / total[1].item<double>();
  }

 private:
  Config config_;
  std::shared_ptr<AlexNetTrunk> network_;
};

}  // namespace

SVI_PLUGIN("feature_consistency", "0.1.0", registrar) {
  registrar.add<svi::Metric, FeatureConsistency>(
      "feature_consistency", "how steadily a film shows the same things, in AlexNet's features");
}
