// imaging_quality: section 4 of VBench (Huang et al. 2024, arXiv 2311.17982);
// MUSIQ trained on SPAQ.
#include "imaging.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <svi/core/check.hpp>
#include <svi/plugin/registry.hpp>

#include "frame_values.hpp"
#include "networks.hpp"
#include "registration.hpp"
#include "vbench/long/long_dimension.hpp"
#include "vision/preprocess.hpp"
#include "vision/transformers/musiq.hpp"

namespace svi::vbench {

std::vector<std::string> enum_names(ImagingSize) {
  return {"longer", "shorter", "shorter_centercrop", "none"};
}

std::pair<std::int64_t, std::int64_t> imaging_size(std::int64_t height, std::int64_t width,
                                                   ImagingSize mode) {
  const auto side = mode == ImagingSize::longer ? std::max(height, width) : std::min(height, width);
  if (mode == ImagingSize::none || side <= kImagingSide) return {height, width};
  // As upstream computes it: for some sizes (561, 569, 644, ...) the longer
  // side becomes 511.
  const double scale = static_cast<double>(kImagingSide) / static_cast<double>(side);
  const auto scaled = [&](std::int64_t length) {
    return static_cast<std::int64_t>(scale * static_cast<double>(length));
  };
  return {scaled(height), scaled(width)};
}

namespace {

at::Tensor prepared_for_musiq(const at::Tensor& levels, ImagingSize mode) {
  const auto [height, width] = imaging_size(levels.size(2), levels.size(3), mode);
  auto x = vision::resized(levels, height, width, {});
  const bool was_resized = height != levels.size(2) || width != levels.size(3);
  if (mode == ImagingSize::shorter_centercrop && was_resized)
    x = vision::center_crop(x, kImagingSide);
  return x / 255;
}

class ImagingSession final : public FrameValues {
 public:
  explicit ImagingSession(std::shared_ptr<FrameNetwork> network) : network_(std::move(network)) {}

 private:
  std::vector<double> measure(const ClipView& clip) override {
    const auto scores = network_->features(clip.frames);  // [T, 1]
    std::vector<double> values;
    for (std::int64_t t = 0; t < scores.size(0); ++t)
      values.push_back(scores[t].item<double>() / 100);
    return values;
  }

  std::shared_ptr<FrameNetwork> network_;
};

/// `imaging_quality`: a film's value is the mean over its frames, a set's over
/// its films.
class ImagingMetric final : public OneNetworkMetric<ImagingSession, FrameNetwork> {
 public:
  struct Config {
    std::string file;
    ImagingSize size = ImagingSize::longer;

    void describe(OptionVisitor& visit) {
      visit(file, {.key = "file",
                   .help = "MUSIQ's weights by the names of IQA-PyTorch; "
                           "empty: the official file "
                           "in the folder of [evaluation] weights"});
      visit(size, {.key = "size",
                   .help = "which side of larger frames becomes 512 pixels: longer, "
                           "shorter, "
                           "shorter_centercrop (then 512 x 512 of the middle), none"});
    }
  };

  explicit ImagingMetric(Config config) : config_(std::move(config)) {}
  std::vector<Quantity> quantities() const override {
    return {frame_quantity("imaging_quality",
                           "a hundredth of MUSIQ's score: noise, blur, exposure of a frame")};
  }
  std::vector<MetricFile> needs() const override { return {musiq_file(config_.file)}; }
  void ready(const MetricContext& context) override {
    const auto& file = context.file("musiq");
    const auto mode = config_.size;
    network_ = context.features.get<FrameNetwork>(
        cat("musiq, ", enum_names(mode).at(static_cast<std::size_t>(mode))), file.sha256, [&] {
          const auto network =
              std::make_shared<vision::Musiq>(vision::Weights::open(file.path, context.device));
          return std::make_shared<FrameNetwork>(
              [mode](const at::Tensor& levels) { return prepared_for_musiq(levels, mode); },
              [network](const at::Tensor& frames) { return (*network)(frames).unsqueeze(1); },
              context.device, 1);
        });
  }

 private:
  Config config_;
};

}  // namespace

void add_imaging(Registrar& registrar) {
  registrar.add<Metric, ImagingMetric>("imaging_quality",
                                       "VBench: how free of noise, blur and "
                                       "wrong exposure frames are, by MUSIQ");
  registrar.add<Metric, LongDimension<ImagingMetric>>(
      "long_imaging_quality",
      "VBench-Long: how free of noise and blur a long film is, clip by clip");
}

}  // namespace svi::vbench
