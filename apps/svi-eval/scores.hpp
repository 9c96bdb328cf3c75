#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/metric/metric.hpp"

namespace svi::eval {

/// A film that was measured.
struct ScoredFilm {
  std::string name, path, arm;  // path may be empty
  double fps = 0;               // frames per second; 0: not known
  std::int64_t frames = 0;      // that were measured, if a metric gives numbers of frames; else 0
  std::string broken = {};      // why it could not be read; empty: it was
};

/// What one quantity says of all films; NaN where it says nothing.
struct ScoredQuantity {
  std::string name, unit, meaning;
  Better better = Better::higher;
  std::vector<double> films;                     // one number per film
  std::vector<std::vector<double>> clips = {};   // of each film, clip by clip; empty: none
  std::vector<std::vector<double>> frames = {};  // of each film, frame by frame; empty: none
  std::map<std::string, double> sets = {};       // of each arm's films together, by arm

  /// Whether it says anything of any film: not where it needs a truth that is not given.
  bool measured() const;
  /// Mean over the films of an arm, or its number of the set where there is one.
  double mean(const std::vector<ScoredFilm>& about, const std::string& arm) const;
  /// The film's values in order: frames, or clips where there are no frames.
  const std::vector<double>& curve(std::size_t film) const;
  /// The film's mean over each second; of clips, each clip counts for its place in time.
  std::vector<double> seconds(const std::vector<ScoredFilm>& about, std::size_t film) const;
};

/// All scores of one measurement.
struct Scores {
  std::vector<std::string> arms;
  std::vector<ScoredFilm> films;
  std::vector<ScoredQuantity> quantities;
  std::vector<std::string> missing;          // metrics without a number, a line each
  std::map<std::string, std::string> facts;  // provenance: versions, files and their hashes
  Document settings;                         // resolved: every option of every metric

  /// The arm's films that could be read.
  std::size_t count(const std::string& arm) const;
  /// Each film that could not be read, with the reason, a line each.
  std::vector<std::string> broken_lines() const;
  const ScoredQuantity* find(const std::string& name) const;
  /// The arm's films at each second, or at each clip: [time][film], of those that are so long.
  std::vector<std::vector<double>> columns(const ScoredQuantity& quantity, const std::string& arm,
                                           bool by_second) const;
};

/// Reads a result file of svi-experiment or svi-eval. `videos`: paths of the films, to tell films
/// by their names. Throws IoError naming the file.
Scores read_scores(const std::filesystem::path& file, const std::vector<std::string>& videos);

/// What --compare needs of a .json of svi-eval: films and their numbers. Throws IoError.
Scores read_scores_json(const std::filesystem::path& file);

}  // namespace svi::eval
