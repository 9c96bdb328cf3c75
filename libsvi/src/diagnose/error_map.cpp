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

constexpr std::uint64_t kSalt = 0x6d617073;  // "maps"

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

}  // namespace

void ErrorMap::Config::describe(OptionVisitor& visit) {
  visit(sigmas,
        {.key = "sigmas", .help = "flow times of the one-step errors", .min = 1e-3, .max = 1});
  visit(scenes, {.key = "scenes",
                 .help = "held-out scenes, from [evaluation] first_scene on",
                 .unit = "scenes",
                 .min = 1,
                 .max = 1e5});
  visit(moments, {.key = "moments",
                  .help = "clips start at a random one of the film's first so many frames",
                  .unit = "frames",
                  .min = 1,
                  .max = 1e6});
  visit(clips, {.key = "clips",
                .help = "clips of the films whose drift is measured",
                .unit = "clips",
                .min = 1,
                .max = 10000});
  visit(at_clips, {.key = "at_clips",
                   .help = "clips, from 0, at whose ends it is measured; those a film has not are "
                           "left out, its last one is added",
                   .min = 0,
                   .max = 10000});
  visit(batch, {.key = "batch",
                .help = "clips that one step takes at once",
                .unit = "clips",
                .min = 1,
                .max = 4096});
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
  const auto seed = derive_seed(static_cast<std::uint64_t>(view.rollout.seed), kSalt);
  const auto clips =
      held_out_clips(view, config_.scenes, config_.moments, seed, "diagnostic.error_map");
  if (!clips.any_known()) {
    SVI_WARN("error_map",
             "[data] does not know what the held-out scenes truly look like: all stays NaN");
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
  const auto size = one.by_frame.square().mean(1).sqrt();  // [S]
  const auto ratio = drift.condition.unsqueeze(1) / size.unsqueeze(0);
  const auto drift_rms = drift.by_pixel.square().flatten(1).mean(1).sqrt();

  const std::string latent = "latent std", pixels = "full range", power = "full range^2";
  return {
      {{"sigma", config_.sigmas, {}},
       {"clip", measured_clips(config_), {}},
       {"latent_frame", range(one.by_frame.size(1)), {}},
       {"k", range(one.spectrum.size(1)), {{"unit", std::string("cycles per picture")}}}},
      {{"one_step_rms",
        latent,
        "one-step error at the data end",
        {"sigma", "latent_frame"},
        one.by_frame},
       {"one_step_map", latent, "the same by place", {"sigma", "h", "w"}, one.by_place},
       {"mean_error_rms",
        latent,
        "RMS of the mean one-step error over scenes, a bias; errors without one would give their "
        "RMS / sqrt(scenes)",
        {"sigma"},
        one.mean_error},
       {"one_step_pixel_map", pixels, "one-step error, decoded", {"sigma", "H", "W"}, one.by_pixel},
       {"one_step_spectrum",
        power,
        "power of the decoded one-step error; sums up to its square",
        {"sigma", "k"},
        one.spectrum},
       {"drift_rms", pixels, "film minus truth at the end of the clip", {"clip"}, drift_rms},
       {"drift_map", pixels, "the same by place", {"clip", "H", "W"}, drift.by_pixel},
       {"drift_spectrum",
        power,
        "power of it; sums up to its square",
        {"clip", "k"},
        drift.spectrum},
       {"condition_error_rms",
        latent,
        "what it changes in the next clip's condition",
        {"clip"},
        drift.condition},
       {"size_ratio",
        "1",
        "condition_error_rms over the RMS of one-step errors",
        {"clip", "sigma"},
        ratio},
       {"map_correlation",
        "1",
        "correlation of drift_map with one_step_pixel_map over pixels",
        {"clip", "sigma"},
        map_correlations(drift.by_pixel, one.by_pixel)}}};
}

}  // namespace svi
