#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "experiment/jobs/jobs.hpp"
#include "svi/core/check.hpp"
#include "svi/measure/film_file.hpp"
#include "svi/measure/score_cache.hpp"

namespace svi {

/// A film in a file and the hashes of what it consists of.
struct HashedFilm {
  FilmFile file = {};
  std::string sha256 = {}, truth_sha256 = {};  // the latter is empty where there is no truth
};

/// A film that could not be read to its end; the text names it.
class FilmError : public IoError {
 public:
  using IoError::IoError;
};

/// Measures the films of a job one by one, by those metrics of its arm whose files are there and
/// that have not seen the film yet, as [films] cache tells.
class FilmMeasurement {
 public:
  /// The context outlives it. Networks are loaded when the first film needs them.
  FilmMeasurement(const JobContext& context, const FilmFileOptions& options);

  /// Measures the job's film of that index; throws JobStopped if the run is asked to stop, and
  /// FilmError, with none of the film's new numbers kept, if the film breaks off.
  void add(std::int64_t index, const HashedFilm& film);
  /// Of all films of the job; NaN where none was added.
  const FilmScores& scores() const { return scores_; }

 private:
  const JobContext& context_;
  FilmFileOptions options_;
  ScoreCache cache_;
  std::vector<std::pair<std::string, std::string>> keys_;    // section, what its numbers depend on
  std::map<std::string, std::vector<Quantity>> quantities_;  // by section
  FilmScores scores_;
};

}  // namespace svi
