#include "pocket/pocket_metric.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "metric/frames_detail.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

class PocketSession final : public MetricSession {
  enum : std::size_t { kQuality, kStructure, kConsistency, kDisc, kMotion, kCount };

 public:
  explicit PocketSession(PocketMetric::Config config) : config_(config) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    const auto [C, T, H, W] = dims<4>(clip.frames, "frames [3, T, H, W]");
    const auto prompt = parse_pocket_prompt(clip.prompt);
    if (!prompt) {
      for (std::size_t i = 0; i < kCount; ++i) sink.clip(i, detail::kNan);
      return;
    }
    if (!fitter_ || prompt != prompt_) {
      fitter_.emplace(config_.fit, *prompt, H, W);
      prompt_ = prompt;
    }
    if (!first_) first_ = fitter_->fit(clip.frames.select(1, 0));

    std::array<std::vector<double>, kCount> values;
    for (const auto t : detail::spread(T, config_.frames)) {
      const auto fit = fitter_->fit(clip.frames.select(1, t));
      values[kQuality].push_back(fit.quality);
      values[kStructure].push_back(fit.structure);
      values[kConsistency].push_back(pocket_consistency(fit, *first_, config_.scale));
      values[kDisc].push_back(fit.disc);
      const auto frame = clip.first_frame + t;
      if (last_ && config_.speed > 0) {
        const double step = fit.disc_x - last_->x;
        const double nearest = step - std::round(step);  // on the torus
        const double rate = nearest / static_cast<double>(frame - last_->frame);
        values[kMotion].push_back((prompt->rightward ? rate : -rate) / config_.speed);
      }
      last_ = {fit.disc_x, frame};
    }
    for (std::size_t i = 0; i < kCount; ++i) sink.clip(i, detail::mean(values[i]));
  }

 private:
  struct Seen {
    double x;
    std::int64_t frame;
  };

  PocketMetric::Config config_;
  std::optional<PocketPrompt> prompt_;
  std::optional<PocketFitter> fitter_;  // for prompt_
  std::optional<PocketFit> first_;      // of the film's first frame
  std::optional<Seen> last_;
};

double square_distance(const Rgb& a, const Rgb& b) {
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return sum;
}

}  // namespace

double pocket_consistency(const PocketFit& a, const PocketFit& b, double scale) {
  double sum = square_distance(a.disc_shade, b.disc_shade);
  for (std::size_t k = 0; k < 3; ++k) sum += square_distance(a.band_shades[k], b.band_shades[k]);
  return std::exp(-std::sqrt(sum / 12.0) / scale);
}

void PocketMetric::Config::describe(OptionVisitor& visit) {
  fit.describe(visit);
  visit(frames, {.key = "frames", .help = "measured frames per clip", .min = 1});
  visit(scale, {.key = "scale",
                .help = "difference of shades at which consistency is 1/e",
                .unit = "of full range",
                .min = 1e-3,
                .max = 10});
  visit(speed, {.key = "speed",
                .help = "speed of discs in the measured world",
                .unit = "widths/frame",
                .min = 0,
                .max = 0.25});
}

std::vector<Quantity> PocketMetric::quantities() const {
  return {
      {.name = "pocket_quality",
       .unit = "dB",
       .meaning = "PSNR to the render of the pocket world, in the prompt's layout and colours, "
                  "that explains the frame best; capped"},
      {.name = "pocket_structure",
       .unit = "dB",
       .meaning = "the same with shades of any value: blind to colour, not to blur, noise or a "
                  "lost disc"},
      {.name = "pocket_consistency",
       .unit = "1",
       .meaning = "exp(-rms difference / scale) between the shades of bands and disc and those "
                  "of the film's first frame"},
      {.name = "pocket_disc",
       .unit = "1",
       .meaning = "share of the picture's departure from the bands, where the disc is, that the "
                  "disc explains; 0 is no disc"},
      {.name = "pocket_motion",
       .unit = "1",
       .meaning = "speed of the disc in the prompt's direction over the world's; 1 is right, 0 "
                  "is frozen",
       .better = Better::one}};
}

std::unique_ptr<MetricSession> PocketMetric::open() const {
  return std::make_unique<PocketSession>(config_);
}

}  // namespace svi
