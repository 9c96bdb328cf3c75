#pragma once

#include <string>
#include <vector>

#include "svi/experiment/plan.hpp"
#include "svi/metric/drift.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// One metric of one arm: means over films (seed, scene), with 95 % bootstrap intervals; of a
/// distance between sets of films, means over seeds without intervals.
struct SummaryCell {
  std::string metric, unit;
  Better better = Better::higher;
  Interval mean;         // over all clips of a film
  Interval first;        // its first clip
  Interval last;         // its last clip
  Interval slope;        // robust slope per clip, clips 1 on (clip 0 has no seam)
  bool of_film = false;  // one number per film or set of films: only `mean`
};

/// A number that an experiment has once per arm.
struct SummaryNumber {
  std::string name, unit;
  double value = 0;
};

struct SummaryArm {
  std::string name, label;
  std::vector<SummaryCell> cells;
  std::vector<SummaryNumber> numbers;  // of a trained critic
};

struct Summary {
  std::string name, question;
  std::int64_t clips = 0;
  std::vector<SummaryArm> arms;
  std::vector<std::string> missing;  // what metrics lack that gave no number, one line each
};

/// Reads a merged result file.
Summary summarise(const std::string& file, const Plan& plan);

/// {"arms": {ARM: {METRIC: {"mean", "low", "high", "n", "better"}}}}, and "higher_is_better" unless
/// what is best is 1; METRIC_first_clip,
/// METRIC_last_clip and METRIC_drift (slope per clip) stand beside METRIC. Of whole films, METRIC
/// alone, or METRIC_film where clips have numbers, too. "missing_metrics": the lines of what
/// metrics lack, absent where nothing is missing.
std::string summary_json(const Summary& summary);

/// The tables the run ends with.
std::string summary_text(const Summary& summary);

}  // namespace svi
