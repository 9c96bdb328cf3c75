#include "svi/diagnose/error_map.hpp"

#include <ATen/ATen.h>

#include <numeric>
#include <set>

#include "error_measurement.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/random.hpp"
#include "svi/diagnose/spectrum.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kMapSalt = 0x6d617073;  // "maps"

/// How alike two sets of maps are in place: Pearson's correlation of each of `a` [A, H, W] with
/// each of `b` [B, H, W], [A, B].
at::Tensor map_correlations(const at::Tensor& a, const at::Tensor& b) {
  const auto centred = [](const at::Tensor& maps) {
    const auto flat = maps.flatten(1);
    const auto moved = flat - flat.mean(1, true);
    return moved / moved.square().sum(1, true).sqrt();
  };
  return at::matmul(centred(a), centred(b).t());
}

std::vector<std::int64_t> range(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

DiagnosticReport report_of(const ErrorMap::Config& config, const OneStepErrors& one,
                           const DriftErrors& drift) {
  DiagnosticReport report;
  report.axes = {{"sigma", config.sigmas, {}},
                 {"clip", ErrorMap::measured_clips(config), {}},
                 {"latent_frame", range(one.by_frame.size(1)), {}},
                 {"k", range(one.spectrum.size(1)), {{"unit", std::string("cycles per picture")}}}};
  const auto add = [&](const char* name, const char* unit, std::vector<std::string> dimensions,
                       const at::Tensor& values, const char* meaning) {
    report.results.push_back({name, unit, meaning, std::move(dimensions), values});
  };
  const auto *latent = "latent std", *pixels = "full range", *power = "full range^2";
  add("one_step_rms", latent, {"sigma", "latent_frame"}, one.by_frame,
      "one-step error at the data end, RMS over scenes, channels and place");
  add("one_step_map", latent, {"sigma", "h", "w"}, one.by_place,
      "one-step error at the data end, RMS over scenes, channels and frames");
  add("mean_error_rms", latent, {"sigma"}, one.mean_error,
      "RMS of the mean one-step error over scenes, a bias; without one, RMS / sqrt(scenes)");
  add("one_step_pixel_map", pixels, {"sigma", "H", "W"}, one.by_pixel,
      "decoded one-step error, RMS over scenes, channels and frames");
  add("one_step_spectrum", power, {"sigma", "k"}, one.spectrum,
      "power of the decoded one-step error by frequency; sums up to its mean square");
  add("drift_rms", pixels, {"clip"}, drift.by_pixel.square().flatten(1).mean(1).sqrt(),
      "film minus truth in the frames that the clip hands on, RMS");
  add("drift_map", pixels, {"clip", "H", "W"}, drift.by_pixel,
      "film minus truth in the frames that the clip hands on, RMS over scenes and channels");
  add("drift_spectrum", power, {"clip", "k"}, drift.spectrum,
      "power of film minus truth by frequency; sums up to its mean square");
  add("condition_error_rms", latent, {"clip"}, drift.condition,
      "what the error of the frames handed on changes in the next clip's condition, RMS");
  const auto size = one.by_frame.square().mean(1).sqrt();  // [S]
  add("size_ratio", "1", {"clip", "sigma"}, drift.condition.unsqueeze(1) / size.unsqueeze(0),
      "condition_error_rms over the RMS of one-step errors");
  add("map_correlation", "1", {"clip", "sigma"}, map_correlations(drift.by_pixel, one.by_pixel),
      "correlation of drift_map with one_step_pixel_map over pixels");
  return report;
}

}  // namespace

void ErrorMap::Config::describe(OptionVisitor& visit) {
  visit(sigmas,
        {.key = "sigmas", .help = "flow times of the one-step errors", .min = 1e-3, .max = 1});
  visit(scenes, {.key = "scenes",
                 .help = "held-out scenes, from [evaluation] first_scene on",
                 .unit = "scenes",
                 .min = 1,
                 .max = 1e5});
  visit(moments,
        {.key = "moments",
         .help = "each clip starts at a random frame among this many first frames of the film",
         .unit = "frames",
         .min = 1,
         .max = 1e6});
  visit(clips, {.key = "clips",
                .help = "clips of the films whose drift is measured",
                .unit = "clips",
                .min = 1,
                .max = 10000});
  visit(at_clips, {.key = "at_clips",
                   .help = "clips, counted from 0, after which the drift is measured; the last "
                           "clip of a film is added, clips beyond it are ignored",
                   .min = 0,
                   .max = 10000});
  visit(batch, {.key = "batch", .help = "clips per batch", .unit = "clips", .min = 1, .max = 4096});
}

std::string ErrorMap::Config::problem() const {
  if (sigmas.empty()) return "sigmas needs at least one flow time";
  if (std::set<double>(sigmas.begin(), sigmas.end()).size() != sigmas.size())
    return "sigmas names a flow time twice";
  return "";
}

std::vector<std::int64_t> ErrorMap::measured_clips(const Config& config) {
  std::set<std::int64_t> clips = {config.clips - 1};
  for (const auto clip : config.at_clips) {
    if (clip < config.clips) clips.insert(clip);
  }
  return {clips.begin(), clips.end()};
}

DiagnosticReport ErrorMap::do_run(const DiagnosticView& view) const {
  const auto seed = derive_seed(static_cast<std::uint64_t>(view.studio.rollout.seed), kMapSalt);
  const auto clips =
      held_out_clips(view, config_.scenes, config_.moments, seed, "diagnostic.error_map");
  if (!clips.any_known()) {
    SVI_WARN("error_map",
             "[data] does not know the truth of the held-out scenes, so all values are NaN");
  }
  const auto total =
      clips.count() * (static_cast<std::int64_t>(config_.sigmas.size()) + config_.clips);
  std::int64_t done = 0;
  const auto advance = [&](std::int64_t more) {
    done += more;
    if (view.progress) view.progress(done, total);
  };
  const auto one = one_step_errors(config_, view, clips, seed, advance);
  const auto drift = drift_errors(config_, view, clips.scenes, advance);
  return report_of(config_, one, drift);
}

}  // namespace svi
