#include "pocket/pocket_truth.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "metric/frames_detail.hpp"
#include "svi/core/check.hpp"
#include "svi/metric/psnr.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr double kFarthest = 0.5;  // widths: as far apart as two places on the torus can be in x
constexpr double kNoColour = 1;    // difference of shades where there is nothing to compare

double on_torus(double difference) { return difference - std::round(difference); }

/// A frame and what PocketFitter finds in it.
struct Seen {
  at::Tensor frame;  // [3, H, W]
  PocketFit fit;
};

/// A frame of the film beside the true one.
struct Pair {
  Seen shown, truth;
  std::int64_t index = 0;  // in the film
};

/// Distance of the two discs in widths.
double distance(const PocketFit& a, const PocketFit& b, std::int64_t height, std::int64_t width) {
  const double dy =
      (a.disc_y - b.disc_y) * static_cast<double>(height) / static_cast<double>(width);
  return std::hypot(on_torus(a.disc_x - b.disc_x), dy);
}

double shade_difference(const Rgb& a, const Rgb& b) {
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return std::sqrt(sum / 3);
}

/// PSNR over the pixels that neither disc covers; only a disc that is there may hide pixels.
double background_psnr(const Pair& pair, bool disc_shown) {
  const auto height = pair.truth.frame.size(1), width = pair.truth.frame.size(2);
  auto open = at::ones({height * width}, at::kBool);
  auto* flags = open.mutable_data_ptr<bool>();
  const auto hide = [&](const PocketFit& fit) {
    for (const auto& pixel : pocket_disc_pixels(fit.disc_x, fit.disc_y, height, width))
      flags[pixel.index] = false;
  };
  hide(pair.truth.fit);
  if (disc_shown) hide(pair.shown.fit);
  const auto chosen = open.nonzero().flatten();
  const auto pixels = [&](const at::Tensor& frame) {
    return frame.flatten(1).index_select(1, chosen);
  };
  return psnr(pixels(pair.shown.frame), pixels(pair.truth.frame));
}

class PocketTruthSession final : public MetricSession {
  enum : std::size_t { kBackground, kColour, kShape, kPath, kSpeed, kDynamic, kCount };

 public:
  explicit PocketTruthSession(PocketTruthMetric::Config config) : config_(config) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    const auto [C, T, H, W] = dims<4>(clip.frames, "frames [3, T, H, W]");
    const auto prompt = parse_pocket_prompt(clip.prompt);
    if (!prompt || !clip.truth.defined()) {
      for (std::size_t i = 0; i < kCount; ++i) sink.clip(i, detail::kNan);
      return;
    }
    if (!fitter_ || prompt != prompt_) {
      fitter_.emplace(config_.fit, *prompt, H, W);
      prompt_ = prompt;
    }
    std::vector<Pair> pairs;
    const bool follows = last_ && last_->index + 1 == clip.first_frame;
    if (follows) pairs.push_back(*last_);
    for (std::int64_t t = 0; t < T; ++t) {
      pairs.push_back({see(clip.frames, t), see(clip.truth, t), clip.first_frame + t});
    }
    looks(pairs, follows ? 1 : 0, sink);
    motion(pairs, sink);
    last_ = pairs.back();
  }

 private:
  Seen see(const at::Tensor& frames, std::int64_t t) const {
    const auto frame = frames.select(1, t).contiguous();
    return {frame, fitter_->fit(frame)};
  }

  bool is_there(const Pair& pair) const { return pair.shown.fit.disc >= config_.presence; }

  /// What each frame shows, from pair `first` on.
  void looks(const std::vector<Pair>& pairs, std::size_t first, MetricSink& sink) const {
    std::array<std::vector<double>, kSpeed> values;
    for (auto i = first; i < pairs.size(); ++i) {
      const auto& pair = pairs[i];
      const auto &shown = pair.shown.fit, &truth = pair.truth.fit;
      const bool there = is_there(pair);
      values[kBackground].push_back(background_psnr(pair, there));
      values[kColour].push_back(there ? shade_difference(shown.disc_shade, truth.disc_shade)
                                      : kNoColour);
      values[kShape].push_back(truth.disc > 0 ? std::min(1.0, shown.disc / truth.disc)
                                              : detail::kNan);
      values[kPath].push_back(
          there ? distance(shown, truth, pair.truth.frame.size(1), pair.truth.frame.size(2))
                : kFarthest);
    }
    for (std::size_t i = 0; i < values.size(); ++i) sink.clip(i, detail::mean(values[i]));
  }

  /// What happens from each frame to the next.
  void motion(const std::vector<Pair>& pairs, MetricSink& sink) const {
    std::vector<double> steps, true_steps, changes, true_changes;
    for (std::size_t i = 1; i < pairs.size(); ++i) {
      const auto &from = pairs[i - 1], &to = pairs[i];
      true_steps.push_back(forward(from.truth.fit, to.truth.fit));
      changes.push_back(detail::mean_change(from.shown.frame, to.shown.frame));
      true_changes.push_back(detail::mean_change(from.truth.frame, to.truth.frame));
    }
    const double pace = detail::mean(true_steps);
    for (std::size_t i = 1; i < pairs.size(); ++i) {
      const auto &from = pairs[i - 1], &to = pairs[i];
      const auto &a = from.shown.fit, &b = to.shown.fit;
      const bool moves =
          is_there(from) && is_there(to) &&
          distance(a, b, to.shown.frame.size(1), to.shown.frame.size(2)) <= config_.jump * pace;
      steps.push_back(moves ? forward(a, b) : 0);
    }
    const double true_change = detail::mean(true_changes);
    sink.clip(kSpeed, pace > 0 ? detail::mean(steps) / pace : detail::kNan);
    sink.clip(kDynamic, true_change > 0 ? detail::mean(changes) / true_change : detail::kNan);
  }

  /// Widths that the disc moves in the prompt's direction.
  double forward(const PocketFit& from, const PocketFit& to) const {
    const double step = on_torus(to.disc_x - from.disc_x);
    return prompt_->rightward ? step : -step;
  }

  PocketTruthMetric::Config config_;
  std::optional<PocketPrompt> prompt_;
  std::optional<PocketFitter> fitter_;  // for prompt_
  std::optional<Pair> last_;            // of the clip before
};

}  // namespace

void PocketTruthMetric::Config::describe(OptionVisitor& visit) {
  fit.describe(visit);
  visit(presence, {.key = "presence",
                   .help = "a disc counts as present if it explains at least this share of the "
                           "picture's difference from the bands",
                   .min = 0,
                   .max = 1});
  visit(jump, {.key = "jump",
               .help = "a step longer than this many true steps is a jump and counts as no motion",
               .min = 1,
               .max = 100});
}

std::vector<Quantity> PocketTruthMetric::quantities() const {
  return {
      {.name = "background_psnr",
       .unit = "dB",
       .meaning = "PSNR to the truth over pixels that neither the true disc nor the one shown "
                  "covers",
       .needs_truth = true},
      {.name = "object_colour",
       .unit = "of full range",
       .meaning =
           "rms difference of the disc's shade from the true one's; 1 where no disc is shown",
       .better = Better::lower,
       .needs_truth = true},
      {.name = "object_shape",
       .unit = "1",
       .meaning = "share of the departure from the bands that a disc explains, over the truth's; 0 "
                  "is no disc",
       .needs_truth = true},
      {.name = "path_error",
       .unit = "widths",
       .meaning =
           "distance of the disc from its true place; 0.5, the farthest, where none is shown",
       .better = Better::lower,
       .needs_truth = true},
      {.name = "speed_ratio",
       .unit = "1",
       .meaning = "mean step of the disc in the prompt's direction over the truth's, a jump or a "
                  "lost disc being no step; 1 is right, 0 frozen, -1 reversed",
       .better = Better::one,
       .needs_truth = true},
      {.name = "dynamic_degree",
       .unit = "1",
       .meaning = "mean change of pixels from frame to frame, seams included, over the truth's; 1 "
                  "is right, 0 frozen",
       .better = Better::one,
       .needs_truth = true}};
}

std::unique_ptr<MetricSession> PocketTruthMetric::open() const {
  return std::make_unique<PocketTruthSession>(config_);
}

}  // namespace svi
