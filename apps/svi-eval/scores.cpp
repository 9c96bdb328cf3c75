#include "scores.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/io/hdf5_file.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/metric/drift.hpp"

namespace svi::eval {
namespace {

namespace fs = std::filesystem;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// The mean of what is known; NaN of nothing.
double known_mean(const std::vector<double>& values) {
  double sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : kUnknown;
}

/// One row of numbers without the NaNs at its end, which belong to longer films.
std::vector<double> row_of(const at::Tensor& row) {
  const auto values = row.contiguous();
  std::vector<double> numbers(values.const_data_ptr<double>(),
                              values.const_data_ptr<double>() + values.numel());
  while (!numbers.empty() && std::isnan(numbers.back())) numbers.pop_back();
  return numbers;
}

Better better_named(const std::string& name) {
  const auto names = enum_names(Better{});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Better>(i);
  }
  return Better::one;
}

/// The path whose end is this name, endings of files left out; empty if there is none.
std::string path_named(const std::vector<std::string>& videos, const std::string& name) {
  for (const auto& video : videos) {
    const auto stem = fs::path(video).replace_extension().string();
    if (stem == name || stem.ends_with("/" + name)) return video;
  }
  return {};
}

/// Fills scores from a result file.
class ResultReader {
 public:
  ResultReader(const fs::path& file, const std::vector<std::string>& videos)
      : file_(Hdf5File::open(file.string())), videos_(videos) {}

  Scores read() {
    read_films();
    for (const auto& path : datasets("/metrics/film")) read_film(path);
    for (const auto& path : datasets("/metrics/clip")) read_curves(path, &ScoredQuantity::clips);
    for (const auto& path : datasets("/metrics/frame")) read_curves(path, &ScoredQuantity::frames);
    for (const auto& path : datasets("/metrics/film_set")) read_set(path);
    for (auto& quantity : scores_.quantities) fill_films(quantity);
    for (const auto& quantity : scores_.quantities) {
      for (std::size_t i = 0; i < quantity.frames.size(); ++i) {
        auto& frames = scores_.films[i].frames;
        frames = std::max(frames, static_cast<std::int64_t>(quantity.frames[i].size()));
      }
    }
    scores_.settings = Document::parse(file_.text("/resolved_ini"), "resolved.ini");
    if (file_.contains("/missing_metrics")) scores_.missing = lines(file_.text("/missing_metrics"));
    for (const auto& [name, value] : file_.attributes("/provenance")) {
      if (const auto* text = std::get_if<std::string>(&value)) scores_.facts[name] = *text;
    }
    return std::move(scores_);
  }

 private:
  std::vector<std::string> datasets(const std::string& group) const {
    return file_.contains(group) ? file_.datasets(group) : std::vector<std::string>();
  }
  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> found;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) found.push_back(line);
    return found;
  }

  /// The lines of a text of the file, each cut at the first `mark`; none where there is no text.
  std::vector<std::pair<std::string, std::string>> pairs(const std::string& name, char mark) const {
    std::vector<std::pair<std::string, std::string>> found;
    if (!file_.contains(name)) return found;
    for (const auto& line : lines(file_.text(name))) {
      const auto cut = line.find(mark);
      if (cut != std::string::npos) found.emplace_back(line.substr(0, cut), line.substr(cut + 1));
    }
    return found;
  }

  /// Films are in the order of arms, then of scenes; those of the files that were read alone.
  void read_films() {
    scores_.arms = file_.strings("/arm");
    const auto scenes = file_.strings("/scene");
    std::vector<std::string> read;
    for (const auto& [hash, path] : pairs("/film_files", ' ')) read.push_back(path);
    std::map<std::string, std::string> broken;
    for (const auto& [path, reason] : pairs("/broken_films", '\t')) {
      read.push_back(path);
      broken[path] = reason;
    }
    for (std::size_t a = 0; a < scores_.arms.size(); ++a) {
      for (std::size_t i = 0; i < scenes.size(); ++i) {
        places_.emplace_back(a, i);
        const auto& arm = scores_.arms[a];
        auto path = path_named(videos_, scenes[i]);
        if (path.empty()) path = path_named(read, arm + "/" + scenes[i]);
        if (path.empty() && scores_.arms.size() == 1) path = path_named(read, scenes[i]);
        const auto reason = broken.find(path);
        if (reason == broken.end()) {
          scores_.films.push_back({scenes[i], path, arm, fps_of(path), 0});
        } else {
          scores_.films.push_back({scenes[i], path, arm, 0, 0, reason->second});
        }
      }
    }
  }

  static double fps_of(const std::string& path) {
    if (path.empty() || !fs::exists(path)) return 0;
    const auto& info = VideoReader(path).info();
    return info.fps_numerator > 0 ? info.fps() : 0;
  }

  ScoredQuantity& quantity(const std::string& path) {
    const auto name = path.substr(path.rfind('/') + 1);
    for (auto& known : scores_.quantities) {
      if (known.name == name) return known;
    }
    const auto text = [&](const char* key) {
      const auto attributes = file_.attributes(path);
      const auto found = attributes.find(key);
      return found == attributes.end() ? std::string() : std::get<std::string>(found->second);
    };
    scores_.quantities.push_back({name, text("unit"), text("meaning"), better_named(text("better")),
                                  std::vector<double>(places_.size(), kUnknown)});
    return scores_.quantities.back();
  }

  /// Of the first seed: films in files have no other.
  at::Tensor at_place(const at::Tensor& values, std::size_t film) const {
    const auto [arm, scene] = places_[film];
    return values[static_cast<std::int64_t>(arm)][0][static_cast<std::int64_t>(scene)];
  }

  void read_film(const std::string& path) {
    auto& into = quantity(path);
    const auto values = file_.read(path);  // [arm, seed, scene]
    for (std::size_t i = 0; i < places_.size(); ++i)
      into.films[i] = at_place(values, i).item<double>();
  }

  void read_curves(const std::string& path,
                   std::vector<std::vector<double>> ScoredQuantity::*curves) {
    auto& into = quantity(path);
    const auto values = file_.read(path);  // [arm, seed, scene, clip or frame]
    for (std::size_t i = 0; i < places_.size(); ++i)
      (into.*curves).push_back(row_of(at_place(values, i)));
  }

  void read_set(const std::string& path) {
    auto& into = quantity(path);
    const auto values = file_.read(path);  // [arm, seed]
    for (std::size_t a = 0; a < scores_.arms.size(); ++a)
      into.sets[scores_.arms[a]] = values[static_cast<std::int64_t>(a)][0].item<double>();
  }

  /// A film's number, where the metric gives none, is the mean over its clips or frames.
  static void fill_films(ScoredQuantity& quantity) {
    for (std::size_t i = 0; i < quantity.films.size(); ++i) {
      auto& value = quantity.films[i];
      if (std::isnan(value) && !quantity.clips.empty()) value = known_mean(quantity.clips[i]);
      if (std::isnan(value) && !quantity.frames.empty()) value = known_mean(quantity.frames[i]);
    }
  }

  Hdf5File file_;
  const std::vector<std::string>& videos_;
  Scores scores_ = {};
  std::vector<std::pair<std::size_t, std::size_t>> places_ = {};  // arm and scene of each film
};

}  // namespace

bool ScoredQuantity::measured() const {
  const auto known = [](double value) { return !std::isnan(value); };
  return std::any_of(films.begin(), films.end(), known) ||
         std::any_of(sets.begin(), sets.end(), [&](const auto& set) { return known(set.second); });
}

double ScoredQuantity::mean(const std::vector<ScoredFilm>& about, const std::string& arm) const {
  if (const auto found = sets.find(arm); found != sets.end()) return found->second;
  std::vector<double> values;
  for (std::size_t i = 0; i < films.size(); ++i) {
    if (about[i].arm == arm) values.push_back(films[i]);
  }
  return known_mean(values);
}

const std::vector<double>& ScoredQuantity::curve(std::size_t film) const {
  static const std::vector<double> kNothing;
  if (film < frames.size() && !frames[film].empty()) return frames[film];
  return film < clips.size() ? clips[film] : kNothing;
}

std::vector<double> ScoredQuantity::seconds(const std::vector<ScoredFilm>& about,
                                            std::size_t film) const {
  if (film >= frames.size()) return {};
  return per_second(frames[film], about[film].fps);
}

std::size_t Scores::count(const std::string& arm) const {
  return static_cast<std::size_t>(std::count_if(
      films.begin(), films.end(),
      [&](const ScoredFilm& film) { return film.arm == arm && film.broken.empty(); }));
}

std::vector<std::string> Scores::broken_lines() const {
  std::vector<std::string> told;
  for (const auto& film : films) {
    if (!film.broken.empty()) told.push_back(cat(film.path, ": ", film.broken));
  }
  return told;
}

const ScoredQuantity* Scores::find(const std::string& name) const {
  for (const auto& quantity : quantities) {
    if (quantity.name == name) return &quantity;
  }
  return nullptr;
}

std::vector<std::vector<double>> Scores::columns(const ScoredQuantity& quantity,
                                                 const std::string& arm, bool by_second) const {
  std::vector<std::vector<double>> found;
  for (std::size_t i = 0; i < films.size(); ++i) {
    if (films[i].arm != arm) continue;
    std::vector<double> curve;
    if (by_second) {
      curve = quantity.seconds(films, i);
    } else if (i < quantity.clips.size()) {
      curve = quantity.clips[i];
    }
    found.resize(std::max(found.size(), curve.size()));
    for (std::size_t t = 0; t < curve.size(); ++t) found[t].push_back(curve[t]);
  }
  return found;
}

Scores read_scores(const fs::path& file, const std::vector<std::string>& videos) {
  return ResultReader(file, videos).read();
}

Scores read_scores_json(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) raise<IoError>(file.string(), ": cannot be opened");
  try {
    const auto json = nlohmann::json::parse(in);
    Scores scores;
    scores.arms = {"films"};
    const auto better = json.value("better", std::map<std::string, std::string>());
    for (const auto& [path, values] : json.at("videos").items()) {
      const auto index = scores.films.size();
      scores.films.push_back({fs::path(path).stem().string(), path, "films", 0, 0});
      for (const auto& [name, value] : values.items()) {
        if (!value.is_number()) continue;
        auto* quantity = const_cast<ScoredQuantity*>(scores.find(name));
        if (quantity == nullptr) {
          const auto known = better.find(name);
          scores.quantities.push_back(
              {name, "", "", better_named(known == better.end() ? "one" : known->second), {}});
          quantity = &scores.quantities.back();
        }
        quantity->films.resize(index + 1, kUnknown);
        quantity->films[index] = value.get<double>();
      }
    }
    for (auto& quantity : scores.quantities) quantity.films.resize(scores.films.size(), kUnknown);
    return scores;
  } catch (const nlohmann::json::exception& error) {
    raise<IoError>(file.string(), ": is no result of svi-eval: ", error.what(),
                   "; write it with svi-eval --out FILE.json");
  }
}

}  // namespace svi::eval
