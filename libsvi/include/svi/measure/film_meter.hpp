#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/measure/film_scores.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Films that are measured, whatever they come from: rollouts, or files.
class SVI_EXPORT FilmSource {
 public:
  virtual ~FilmSource();
  virtual std::int64_t films() const = 0;  // how many there are
  /// Gives every clip of every film, the clips of one film in order. Films may come one after the
  /// other or side by side.
  virtual void run(const std::function<void(std::int64_t film, const ClipView& clip)>& on_clip) = 0;
};

/// Shows films to metrics, each clip once to all of them, and keeps what they say. Borrows the
/// metrics; one thread.
class SVI_EXPORT FilmMeter {
 public:
  /// Room for `films` films of up to `clips` clips and `frames` frames. The metrics are ready.
  FilmMeter(const std::vector<std::unique_ptr<Metric>>& metrics, std::int64_t films,
            std::int64_t clips, std::int64_t frames);
  ~FilmMeter();

  /// Measures a film's next clip. Throws Error where it leaves the room there is.
  void add(std::int64_t film, const ClipView& clip);
  /// Ends every film; gives the scores. Call once, at the end.
  FilmScores finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Measures all films of a source that have at most this many clips and frames.
SVI_EXPORT FilmScores measure_films(FilmSource& source,
                                    const std::vector<std::unique_ptr<Metric>>& metrics,
                                    std::int64_t clips, std::int64_t frames);

}  // namespace svi
