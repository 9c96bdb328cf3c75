#include "svi/diagnose/loop_gain.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "loop_measurement.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/diagnose/directions.hpp"
#include "svi/metric/drift.hpp"

namespace svi {
namespace {

/// Square root of the mean over the scenes that have a value.
double root_mean(const std::vector<double>& squares) {
  const double mean = bootstrap_interval(squares, 0, 1).mean;
  return std::sqrt(std::max(mean, 0.0) + (std::isnan(mean) ? kNan : 0));
}

/// The numbers of each direction, column by column.
class Table {
 public:
  Table(const std::vector<std::string>& directions, std::int64_t clips)
      : directions_(directions), clips_(clips) {
    const auto count = static_cast<std::int64_t>(directions.size());
    for (auto& column : columns_) column = at::full({count}, kNan, at::kDouble);
    predicted_ = at::full({count, clips}, kNan, at::kDouble);
    lasting_ = predicted_.clone();
  }

  void set(std::int64_t row, const DamageResponse& response, const FreshError& errors) {
    const auto gain = bootstrap_interval(response.gain, 0);
    const std::array<double, kColumns> values = {gain.mean,
                                                 gain.low,
                                                 gain.high,
                                                 response.damage,
                                                 root_mean(response.total),
                                                 root_mean(response.residual),
                                                 errors.bias,
                                                 errors.spread,
                                                 errors.scene_bias,
                                                 limit_rms(gain.mean, errors.bias, errors.spread)};
    for (std::size_t c = 0; c < kColumns; ++c) columns_[c][row] = values[c];
    predicted_[row].copy_(
        at::tensor(predicted_rms(gain.mean, errors.bias, errors.spread, clips_), at::kDouble));
    lasting_[row].copy_(
        at::tensor(predicted_rms(gain.mean, errors.bias, errors.noise, clips_, errors.scene_bias),
                   at::kDouble));
  }

  DiagnosticReport report(const at::Tensor& measured) const {
    constexpr std::array<std::array<const char*, 3>, kColumns> kNames = {{
        {"gain", "1", "deviation handed on per deviation received, mean over scenes"},
        {"gain_low", "1", "lower end of the gain's 95 % bootstrap interval over scenes"},
        {"gain_high", "1", "upper end of the gain's 95 % bootstrap interval over scenes"},
        {"damage", "full range", "RMS of the strongest damage, after clipping"},
        {"total_gain", "1", "RMS of the whole response per RMS of damage"},
        {"residual", "1", "RMS of the response orthogonal to the direction, per RMS of damage"},
        {"bias", "full range", "mean deviation after one clip from true frames"},
        {"fresh", "full range", "standard deviation of it over scenes and noises"},
        {"scene_bias", "full range", "the part of fresh that is a scene's own, whatever the noise"},
        {"limit_rms", "full range", "where the prediction ends; infinite where it does not"},
    }};
    std::vector<std::int64_t> clips(static_cast<std::size_t>(clips_));
    std::iota(clips.begin(), clips.end(), 0);
    DiagnosticReport report{{{"direction", directions_, {}}, {"clip", clips, {}}}, {}};
    for (std::size_t c = 0; c < kColumns; ++c) {
      report.results.push_back(
          {kNames[c][0], kNames[c][1], kNames[c][2], {"direction"}, columns_[c]});
    }
    report.results.push_back({"predicted_rms",
                              "full range",
                              "deviation after each clip of a chain, from gain, bias and fresh "
                              "error",
                              {"direction", "clip"},
                              predicted_});
    report.results.push_back({"predicted_rms_lasting",
                              "full range",
                              "deviation predicted with a scene's own part of the fresh error "
                              "equal in all clips",
                              {"direction", "clip"},
                              lasting_});
    report.results.push_back({"measured_rms",
                              "full range",
                              "deviation of real chains after each clip, RMS over scenes",
                              {"direction", "clip"},
                              measured});
    return report;
  }

 private:
  static constexpr std::size_t kColumns = 10;

  const std::vector<std::string>& directions_;
  std::int64_t clips_;
  std::array<at::Tensor, kColumns> columns_;
  at::Tensor predicted_, lasting_;
};

}  // namespace

void LoopGain::Config::describe(OptionVisitor& visit) {
  visit(directions, {.key = "directions",
                     .help = "directions of damage: " + join(damage_names()) +
                             ", and model_mean (the model's own mean error)"});
  visit(amplitudes,
        {.key = "amplitudes",
         .help = "strengths of damage, as RMS; for blur, the strongest value is the full blur",
         .unit = "full range",
         .min = -1,
         .max = 1});
  visit(scenes, {.key = "scenes",
                 .help = "held-out scenes, from [evaluation] first_scene on",
                 .unit = "scenes",
                 .min = 1,
                 .max = 1e5});
  visit(noises, {.key = "noises",
                 .help = "undamaged clips per scene, for bias and fresh error",
                 .unit = "clips",
                 .min = 1,
                 .max = 1000});
  visit(moments,
        {.key = "moments",
         .help = "each clip starts at a random frame among this many first frames of the film",
         .unit = "frames",
         .min = 1,
         .max = 1e6});
  visit(clips, {.key = "clips",
                .help = "clips of the predicted and measured chains",
                .unit = "clips",
                .min = 1,
                .max = 10000});
  visit(batch, {.key = "batch", .help = "clips per batch", .unit = "clips", .min = 1, .max = 4096});
}

std::string LoopGain::Config::problem() const {
  auto known = damage_names();
  known.emplace_back(kModelMean);
  std::set<std::string> seen;
  for (const auto& name : directions) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const auto near = nearest_name(name, known);
      return cat("directions: unknown '", name, "'; ",
                 near.empty() ? "known: " + join(known) : "did you mean '" + near + "'?");
    }
    if (!seen.insert(name).second) return cat("directions names '", name, "' twice");
  }
  if (directions.empty()) return "directions needs at least one of " + join(known);
  if (amplitudes.empty()) return "amplitudes needs at least one";
  if (std::find(amplitudes.begin(), amplitudes.end(), 0.0) != amplitudes.end())
    return "amplitudes: a damage of 0 has no response";
  return "";
}

std::vector<double> predicted_rms(double gain, double bias, double fresh, std::int64_t clips,
                                  double scene_bias) {
  std::vector<double> rms;
  double mean = 0, own = 0, variance = 0;
  for (std::int64_t clip = 0; clip < clips; ++clip) {
    mean = gain * mean + bias;
    own = gain * own + scene_bias;
    variance = gain * gain * variance + fresh * fresh;
    rms.push_back(std::sqrt(mean * mean + own * own + variance));
  }
  return rms;
}

double limit_rms(double gain, double bias, double fresh) {
  if (std::isnan(gain + bias + fresh)) return kNan;
  if (std::abs(gain) >= 1) {
    return bias == 0 && fresh == 0 ? 0 : std::numeric_limits<double>::infinity();
  }
  const double mean = bias / (1 - gain);
  return std::sqrt(mean * mean + fresh * fresh / (1 - gain * gain));
}

DiagnosticReport LoopGain::do_run(const DiagnosticView& view) const {
  LoopMeasurement measurement(config_, view);
  Table table(config_.directions, config_.clips);
  std::vector<double> units;
  for (std::size_t d = 0; d < config_.directions.size(); ++d) {
    const auto errors = measurement.fresh(config_.directions[d]);
    table.set(static_cast<std::int64_t>(d), measurement.respond(config_.directions[d]), errors);
    units.push_back(errors.unit);
  }
  return table.report(measurement.chain_rms() * at::tensor(units, at::kDouble).unsqueeze(1));
}

}  // namespace svi
