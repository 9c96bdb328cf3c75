#include "export.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "leaderboard.hpp"
#include "svi/metric/drift.hpp"

namespace svi::eval {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has no NaN and no infinity.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json numbers(const std::vector<double>& values) {
  auto list = Json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

Json interval_of(const std::vector<double>& values) {
  const auto interval = bootstrap_interval(values, 0);
  return {{"mean", number(interval.mean)},
          {"low", number(interval.low)},
          {"high", number(interval.high)},
          {"n", interval.count}};
}

/// What the films are told apart by: their files, or arm and name where these are not known.
std::string key_of(const ScoredFilm& film) {
  return film.path.empty() ? film.arm + "/" + film.name : film.path;
}

/// Mean over films, with interval, of each second, or of each clip.
Json curve_json(const Scores& scores, const ScoredQuantity& quantity, const std::string& arm,
                bool by_second) {
  auto list = Json::array();
  for (const auto& column : scores.columns(quantity, arm, by_second)) {
    const auto interval = bootstrap_interval(column, 0);
    list.push_back(numbers({interval.mean, interval.low, interval.high}));
  }
  return list;
}

/// Drift of a quantity over an arm's films: slope per clip and per second, and VDE.
Json drift_json(const Scores& scores, const ScoredQuantity& quantity, const std::string& arm) {
  std::vector<double> per_clip, of_seconds, vde;
  for (std::size_t i = 0; i < scores.films.size(); ++i) {
    if (scores.films[i].arm != arm) continue;
    if (!quantity.clips.empty()) per_clip.push_back(robust_slope(quantity.clips[i]));
    of_seconds.push_back(robust_slope(quantity.seconds(scores.films, i)));
    vde.push_back(video_drift_error(quantity.curve(i)));
  }
  return {{"slope_per_clip", interval_of(per_clip)},
          {"slope_per_second", interval_of(of_seconds)},
          {"video_drift_error", interval_of(vde)}};
}

Json arm_json(const Scores& scores, const std::string& arm) {
  Json json = {{"mean", Json::object()},
               {"interval", Json::object()},
               {"per_clip", Json::object()},
               {"per_second", Json::object()},
               {"drift", Json::object()}};
  for (const auto& quantity : scores.quantities) {
    std::vector<double> values;
    for (std::size_t i = 0; i < scores.films.size(); ++i) {
      if (scores.films[i].arm == arm) values.push_back(quantity.films[i]);
    }
    if (!quantity.measured()) continue;
    json["mean"][quantity.name] = number(quantity.mean(scores.films, arm));
    json["interval"][quantity.name] = interval_of(values);
    if (!quantity.clips.empty())
      json["per_clip"][quantity.name] = curve_json(scores, quantity, arm, false);
    if (!quantity.frames.empty())
      json["per_second"][quantity.name] = curve_json(scores, quantity, arm, true);
    if (!quantity.clips.empty() || !quantity.frames.empty())
      json["drift"][quantity.name] = drift_json(scores, quantity, arm);
  }
  const auto board = leaderboard_of(scores, arm);
  if (board.normalised.empty()) return json;
  auto& vbench = json["vbench"] = {{"normalised", board.normalised}, {"sums", board.sums}};
  if (!board.lacking.empty()) vbench["quality_lacks"] = board.lacking;
  return json;
}

/// {FILE: reason} of the films that could not be read.
Json broken_json(const Scores& scores) {
  auto json = Json::object();
  for (const auto& film : scores.films) {
    if (!film.broken.empty()) json[key_of(film)] = film.broken;
  }
  return json;
}

std::string vbench_json(const Scores& scores) {
  Json json;
  for (const auto& quantity : scores.quantities) {
    if (!quantity.measured()) continue;
    auto videos = Json::array();
    for (std::size_t i = 0; i < scores.films.size(); ++i) {
      if (!std::isnan(quantity.films[i])) {
        videos.push_back({{"video_path", key_of(scores.films[i])},
                          {"video_results", number(quantity.films[i])}});
      }
    }
    json[quantity.name] =
        Json::array({number(quantity.mean(scores.films, scores.arms.front())), videos});
  }
  if (!scores.missing.empty()) json["missing"] = scores.missing;
  if (const auto broken = broken_json(scores); !broken.empty()) json["broken"] = broken;
  return json.dump(2) + "\n";
}

/// A text as a field of CSV (RFC 4180).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) quoted += letter == '"' ? "\"\"" : std::string(1, letter);
  return quoted + "\"";
}

}  // namespace

std::string scores_json(const Scores& scores, Layout layout) {
  if (layout == Layout::vbench) return vbench_json(scores);
  Json json = {{"videos", Json::object()}};
  for (std::size_t i = 0; i < scores.films.size(); ++i) {
    if (!scores.films[i].broken.empty()) continue;
    auto& film = json["videos"][key_of(scores.films[i])];
    film = Json::object();
    for (const auto& quantity : scores.quantities) {
      if (!std::isnan(quantity.films[i])) film[quantity.name] = number(quantity.films[i]);
    }
  }
  const auto first = arm_json(scores, scores.arms.front());
  for (const auto& [key, value] : first.items()) json[key] = value;
  for (std::size_t a = 1; a < scores.arms.size(); ++a) {
    if (a == 1) json["arms"][scores.arms.front()] = first;
    json["arms"][scores.arms[a]] = arm_json(scores, scores.arms[a]);
  }
  for (const auto& quantity : scores.quantities) {
    json["unit"][quantity.name] = quantity.unit;
    json["meaning"][quantity.name] = quantity.meaning;
    json["better"][quantity.name] =
        enum_names(quantity.better).at(static_cast<std::size_t>(quantity.better));
  }
  for (const auto& film : scores.films) {
    if (!film.broken.empty()) continue;
    auto& about = json["films"][key_of(film)];
    about = {{"arm", film.arm}, {"fps", film.fps > 0 ? Json(film.fps) : Json()}};
    if (film.frames > 0) about["frames"] = film.frames;
  }
  for (const auto& section : scores.settings.sections()) {
    if (!section.name.starts_with("metric.") && section.name != "films") continue;
    auto& options = json["options"][section.name];
    options = Json::object();
    for (const auto& entry : section.entries) options[entry.key] = entry.value;
  }
  json["broken"] = broken_json(scores);
  json["unmeasured"] = Json::array();
  for (const auto& quantity : scores.quantities) {
    if (!quantity.measured()) json["unmeasured"].push_back(quantity.name);
  }
  json["drifts"] = drift_sentences(scores);
  json["missing"] = scores.missing;
  json["provenance"] = scores.facts;
  return json.dump(2) + "\n";
}

std::string scores_csv(const Scores& scores) {
  std::ostringstream out;
  out.precision(17);
  out << "video,arm,fps";
  for (const auto& quantity : scores.quantities) out << ',' << field(quantity.name);
  out << '\n';
  for (std::size_t i = 0; i < scores.films.size(); ++i) {
    const auto& film = scores.films[i];
    out << field(key_of(film)) << ',' << field(film.arm) << ',' << film.fps;
    for (const auto& quantity : scores.quantities) {
      out << ',';
      if (!std::isnan(quantity.films[i])) out << quantity.films[i];
    }
    out << '\n';
  }
  return out.str();
}

}  // namespace svi::eval
