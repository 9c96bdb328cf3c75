#pragma once

#include <cstdint>
#include <string>

#include "svi/generate/film_maker.hpp"

namespace svi::generate {

/// Shows how far a film is, on standard error: one line drawn again on a terminal, a line per clip
/// and every half minute elsewhere.
class ProgressLine {
 public:
  /// `name` stands in front, such as a film's file.
  ProgressLine(std::string name, bool terminal);
  ~ProgressLine();

  void show(const FilmProgress& progress);

 private:
  std::string text(const FilmProgress& progress) const;
  double now() const;

  std::string name_;
  bool terminal_;
  double started_, drawn_ = -1e9, phase_started_ = 0;
  std::int64_t first_clip_ = -1, clip_ = -1;
  double fraction_ = 0;    // of the clip in work
  double clips_made_ = 0;  // in this run, parts of clips included
  FilmProgress::Phase phase_ = FilmProgress::Phase::joining;
  bool drew_ = false;
};

}  // namespace svi::generate
