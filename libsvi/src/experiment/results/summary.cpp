#include "summary.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "set_metrics.hpp"
#include "svi/core/check.hpp"
#include "svi/io/hdf5_file.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kBootstrapSeed = 0;

/// What one film gives: mean, first, last and slope of its per-clip curve.
struct FilmValues {
  std::vector<double> mean, first, last, slope;

  void add(std::vector<double> curve) {
    std::vector<double> known;
    for (const double value : curve) {
      if (!std::isnan(value)) known.push_back(value);
    }
    if (known.empty()) return;
    double sum = 0;
    for (const double value : known) sum += value;
    mean.push_back(sum / static_cast<double>(known.size()));
    first.push_back(curve.front());
    last.push_back(curve.back());
    curve.erase(curve.begin());
    slope.push_back(robust_slope(curve));
  }
};

SummaryCell cell_of(const at::Tensor& values) {  // [seeds, scenes, clips] fp64
  FilmValues films;
  for (std::int64_t s = 0; s < values.size(0); ++s) {
    for (std::int64_t i = 0; i < values.size(1); ++i) {
      const auto curve = values[s][i].contiguous();
      films.add({curve.const_data_ptr<double>(), curve.const_data_ptr<double>() + curve.numel()});
    }
  }
  SummaryCell cell;
  cell.mean = bootstrap_interval(films.mean, kBootstrapSeed);
  cell.first = bootstrap_interval(films.first, kBootstrapSeed);
  cell.last = bootstrap_interval(films.last, kBootstrapSeed);
  cell.slope = bootstrap_interval(films.slope, kBootstrapSeed);
  return cell;
}

std::string name_of(Better better) {
  return enum_names(better).at(static_cast<std::size_t>(better));
}

/// Of a dataset of any svi: the first ones had `higher_is_better` alone.
Better better_of(const Attributes& attributes) {
  const auto named = attributes.find("better");
  if (named != attributes.end()) {
    for (const auto better : {Better::higher, Better::lower, Better::one}) {
      if (std::get<std::string>(named->second) == name_of(better)) return better;
    }
  }
  const auto higher = attributes.find("higher_is_better");
  if (higher == attributes.end()) return Better::one;
  return std::get<std::int64_t>(higher->second) != 0 ? Better::higher : Better::lower;
}

const char* direction(Better better) {
  switch (better) {
    case Better::higher:
      return ", higher is better";
    case Better::lower:
      return ", lower is better";
    case Better::one:
      return ", best at 1";
  }
  return "";
}

nlohmann::ordered_json interval_json(const Interval& interval, Better better) {
  const auto number = [](double value) {
    return std::isnan(value) ? nlohmann::ordered_json() : nlohmann::ordered_json(value);
  };
  nlohmann::ordered_json json = {{"mean", number(interval.mean)},
                                 {"low", number(interval.low)},
                                 {"high", number(interval.high)},
                                 {"n", interval.count},
                                 {"better", name_of(better)}};
  if (better != Better::one) json["higher_is_better"] = better == Better::higher;
  return json;
}

std::string interval_text(const Interval& interval, const char* format) {
  if (interval.count == 0 || std::isnan(interval.mean)) return "-";
  char number[3][48];
  std::snprintf(number[0], sizeof number[0], format, interval.mean);
  if (std::isnan(interval.low)) return number[0];
  std::snprintf(number[1], sizeof number[1], format, interval.low);
  std::snprintf(number[2], sizeof number[2], format, interval.high);
  return cat(number[0], " [", number[1], ", ", number[2], "]");
}

std::string pad(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

/// Distances of sets have no films to resample.
void drop_intervals(SummaryCell& cell) {
  for (auto* interval : {&cell.mean, &cell.first, &cell.last, &cell.slope}) {
    interval->low = interval->high = std::numeric_limits<double>::quiet_NaN();
  }
}

void add_cells(Summary& summary, const Hdf5File& results, const std::string& group, bool sets) {
  if (!results.contains(group)) return;
  for (const auto& path : results.datasets(group)) {
    auto values = results.read(path);        // [arm, seed, scene, clip]
    if (sets) values = values.unsqueeze(2);  // from [arm, seed, clip]
    summary.clips = values.size(3);
    for (std::size_t a = 0; a < summary.arms.size(); ++a) {
      auto cell = cell_of(values[static_cast<std::int64_t>(a)]);
      if (sets) drop_intervals(cell);
      cell.metric = path.substr(path.rfind('/') + 1);
      cell.unit = std::get<std::string>(results.attribute(path, "unit"));
      cell.better = better_of(results.attributes(path));
      summary.arms[a].cells.push_back(std::move(cell));
    }
  }
}

/// Numbers of whole films, [arm, seed, scene], or of sets of films, [arm, seed].
void add_films(Summary& summary, const Hdf5File& results, const std::string& group, bool sets) {
  if (!results.contains(group)) return;
  for (const auto& path : results.datasets(group)) {
    const auto values = results.read(path);
    const auto name = path.substr(path.rfind('/') + 1);
    for (std::size_t a = 0; a < summary.arms.size(); ++a) {
      const auto row = values[static_cast<std::int64_t>(a)].contiguous();
      SummaryCell cell;
      cell.of_film = true;
      cell.mean = bootstrap_interval(
          {row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel()},
          kBootstrapSeed);
      if (sets) drop_intervals(cell);
      cell.metric = name;
      for (const auto& other : summary.arms[a].cells) {
        if (other.metric == name) cell.metric = name + (sets ? "_film_set" : "_film");
      }
      cell.unit = std::get<std::string>(results.attribute(path, "unit"));
      cell.better = better_of(results.attributes(path));
      summary.arms[a].cells.push_back(std::move(cell));
    }
  }
}

void add_critic(Summary& summary, const Hdf5File& results) {
  for (const std::string name : {"pearson", "spearman", "error", "bias"}) {
    const auto path = "/critic/" + name;
    if (!results.contains(path)) return;
    const auto values = results.read(path);  // [arm, seed]
    for (std::size_t a = 0; a < summary.arms.size(); ++a) {
      summary.arms[a].numbers.push_back({"critic_" + name,
                                         std::get<std::string>(results.attribute(path, "unit")),
                                         values[static_cast<std::int64_t>(a)][0].item<double>()});
    }
  }
}

/// The table of one quantity.
void add_table(std::ostream& out, const Summary& summary, std::size_t c) {
  const auto& head = summary.arms.front().cells[c];
  out << "\n"
      << pad(cat(head.metric, head.unit == "1" ? "" : " (" + head.unit + ")",
                 direction(head.better)),
             48)
      << " " << pad("whole film", 28);
  if (!head.of_film) out << pad("first clip", 28) << pad("last clip", 28) << "drift per clip";
  out << "\n";
  for (const auto& arm : summary.arms) {
    const auto& cell = arm.cells[c];
    out << "  " << pad(arm.label, 47) << pad(interval_text(cell.mean, "%.4g"), 28);
    if (!cell.of_film) {
      out << pad(interval_text(cell.first, "%.4g"), 28) << pad(interval_text(cell.last, "%.4g"), 28)
          << interval_text(cell.slope, "%+.3g");
    }
    out << "\n";
  }
}

}  // namespace

Summary summarise(const std::string& file, const Plan& plan) {
  auto results = Hdf5File::open(file);
  Summary summary;
  summary.name = plan.experiment.name;
  summary.question = plan.experiment.question;
  for (const auto& arm : plan.arms) summary.arms.push_back({arm.name, arm.label, {}, {}});
  add_cells(summary, results, "/metrics/clip", false);
  add_cells(summary, results, "/metrics/set", true);
  add_films(summary, results, "/metrics/film", false);
  add_films(summary, results, "/metrics/film_set", true);
  add_critic(summary, results);
  if (results.contains(cat("/", kMissing))) {
    std::istringstream lines(results.text(cat("/", kMissing)));
    for (std::string line; std::getline(lines, line);) summary.missing.push_back(line);
  }
  return summary;
}

std::string summary_json(const Summary& summary) {
  nlohmann::ordered_json json;
  json["name"] = summary.name;
  json["question"] = summary.question;
  json["clips"] = summary.clips;
  for (const auto& arm : summary.arms) {
    auto& entry = json["arms"][arm.name];
    entry = nlohmann::ordered_json::object();
    for (const auto& cell : arm.cells) {
      entry[cell.metric] = interval_json(cell.mean, cell.better);
      if (cell.of_film) continue;
      entry[cell.metric + "_first_clip"] = interval_json(cell.first, cell.better);
      entry[cell.metric + "_last_clip"] = interval_json(cell.last, cell.better);
      entry[cell.metric + "_drift"] = interval_json(cell.slope, cell.better);
    }
    for (const auto& number : arm.numbers) entry[number.name] = number.value;
  }
  if (!summary.missing.empty()) json["missing_metrics"] = summary.missing;
  return json.dump(2) + "\n";
}

std::string summary_text(const Summary& summary) {
  std::ostringstream out;
  out << "\n" << summary.name;
  if (!summary.question.empty()) out << ": " << summary.question;
  out << "\n";
  if (summary.clips > 0)
    out << summary.clips << " clips a film; mean [95 % bootstrap interval] over films\n";
  for (const auto& arm : summary.arms) {
    for (const auto& number : arm.numbers) {
      out << "  " << pad(arm.label, 32) << pad(number.name, 20) << number.value
          << (number.unit == "1" ? "" : " " + number.unit) << "\n";
    }
  }
  if (!summary.arms.empty()) {
    for (std::size_t c = 0; c < summary.arms.front().cells.size(); ++c) add_table(out, summary, c);
  }
  if (!summary.missing.empty()) out << "\nMetrics without a number, for want of a file:\n";
  for (const auto& line : summary.missing) out << "  " << line << "\n";
  return out.str();
}

}  // namespace svi
