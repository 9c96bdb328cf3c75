// i2v_subject and i2v_background: VBench-I2V (Huang et al. 2024, arXiv
// 2411.13503); whether a film keeps showing what its image shows.
#include <ATen/ATen.h>

#include <algorithm>
#include <svi/io/video_reader.hpp>
#include <svi/plugin/registry.hpp>

#include "dreamsim_network.hpp"
#include "frame_values.hpp"
#include "networks.hpp"
#include "registration.hpp"

namespace svi::vbench {
namespace {

/// At work on a film. The reference is the given features, or those of the
/// first frame.
class ImageSession final : public MetricSession {
 public:
  ImageSession(std::shared_ptr<FrameNetwork> network, at::Tensor reference)
      : network_(std::move(network)), reference_(std::move(reference)) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    if (!reference_.defined()) {
      const auto& source = clip.truth.defined() ? clip.truth : clip.frames;
      reference_ = network_->features(source.slice(1, 0, 1))[0].to(at::kDouble);
    }
    const auto features = network_->features(clip.frames).to(at::kDouble);  // [T, D]
    std::vector<double> values;
    Mean mean;
    for (std::int64_t t = 0; t < features.size(0); ++t) {
      const auto now = features[t];
      values.push_back(similarity(reference_, now));
      mean.add(values.back());
      best_ = std::max(best_, values.back());
      if (before_.defined()) {
        const double step = similarity(before_, now);
        steps_.add(step);
        worst_step_ = std::min(worst_step_, step);
      }
      before_ = now;
    }
    sink.frames(0, values);
    sink.clip(0, mean.value());
  }

  void finish(const FilmView&, MetricSink& sink) override {
    if (steps_.count == 0) return;  // fewer than two frames
    const double value = 0.4 * best_ + 0.3 * steps_.value() + 0.3 * worst_step_;
    sink.film(0, value);
    sink.film_features(0, Mean{value, 1}.row(), {});
  }

 private:
  std::shared_ptr<FrameNetwork> network_;
  at::Tensor reference_, before_;  // [D] fp64
  double best_ = 0, worst_step_ = 1;
  Mean steps_;
};

struct ImageOptions {
  std::string image;
  bool antialias = true;

  void describe(OptionVisitor& visit) {
    visit(image, {.key = "image",
                  .help = "the picture that all films begin with; empty: the first "
                          "frame of each "
                          "film's truth or, without truth, of the film itself"});
    visit(antialias, {.key = "antialias",
                      .help = "frames are resized with antialias, as torchvision has done since "
                              "0.17; the image always is"});
  }
};

/// The files of a network and the image, whose absence is then reported before a run begins.
std::vector<MetricFile> with_image(std::vector<MetricFile> files, const ImageOptions& options) {
  if (!options.image.empty()) {
    files.push_back({.name = "image",
                     .what = "the picture that all films begin with",
                     .file = options.image,
                     .given = options.image,
                     .option = "image"});
  }
  return files;
}

/// Features [D] fp64 of the image, or nothing where none is given.
at::Tensor features_of_image(const ImageOptions& options, const MetricContext& context,
                             const ImageNetwork& network) {
  if (options.image.empty()) return {};
  const auto picture = read_image(context.file("image").path);
  const auto ready = network.prepare_image(picture).unsqueeze(0);
  return network.frames->look(ready.to(network.frames->device()))[0].to(at::kCPU, at::kDouble);
}

/// What the metrics do alike once they have a network and, perhaps, the features of the image.
class ImageMetric : public Metric {
 public:
  std::unique_ptr<MetricSession> open() const final {
    return std::make_unique<ImageSession>(network_.frames, reference_);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const final {
    return mean_of_films(shown);
  }

 protected:
  ImageNetwork network_;
  at::Tensor reference_;  // [D] fp64, or undefined
};

/// `i2v_subject`: 0.4 times the best similarity of a frame to the image, 0.3
/// times the mean and 0.3 times the lowest similarity of a frame to the one
/// before. A set's value is the mean over films.
class SubjectMetric final : public ImageMetric {
 public:
  struct Config {
    std::string file;
    ImageOptions image;

    void describe(OptionVisitor& visit) {
      visit(file, {.key = "file",
                   .help = "DINO's weights by their official names; empty: the "
                           "official file in "
                           "the folder of [evaluation] weights"});
      image.describe(visit);
    }
  };

  explicit SubjectMetric(Config config) : config_(std::move(config)) {}
  std::vector<Quantity> quantities() const override {
    return {frame_quantity("i2v_subject",
                           "whether frames keep to the image and to "
                           "each other, in DINO ViT-B/16")};
  }
  std::vector<MetricFile> needs() const override {
    return with_image({dino_file(config_.file)}, config_.image);
  }
  void ready(const MetricContext& context) override {
    network_ = {dino_middle(context, config_.file.empty(), config_.image.antialias),
                prepared_middle_of_image};
    reference_ = features_of_image(config_.image, context, network_);
  }

 private:
  Config config_;
};

/// `i2v_background`: the same formula in DreamSim's features.
class BackgroundMetric final : public ImageMetric {
 public:
  struct Config {
    DreamSimOptions files;
    ImageOptions image;

    void describe(OptionVisitor& visit) {
      files.describe(visit);
      image.describe(visit);
    }
  };

  explicit BackgroundMetric(Config config) : config_(std::move(config)) {}
  std::vector<Quantity> quantities() const override {
    return {frame_quantity("i2v_background",
                           "whether frames keep to the image and to each other, in DreamSim")};
  }
  std::vector<MetricFile> needs() const override {
    return with_image(config_.files.needs(), config_.image);
  }
  void ready(const MetricContext& context) override {
    network_ = {dreamsim_frames(context, config_.image.antialias), prepared_dreamsim_of_image};
    reference_ = features_of_image(config_.image, context, network_);
  }

 private:
  Config config_;
};

}  // namespace

void add_i2v(Registrar& registrar) {
  registrar.add<Metric, SubjectMetric>(
      "i2v_subject", "VBench-I2V: whether a film keeps the subject of its image, by DINO");
  registrar.add<Metric, BackgroundMetric>(
      "i2v_background", "VBench-I2V: whether a film keeps the scene of its image, by DreamSim");
}

}  // namespace svi::vbench
