#pragma once

#include "experiment/jobs/jobs.hpp"
#include "svi/measure/film_meter.hpp"

namespace svi {

/// What the clips of a film cost; the films of a job cost the same.
struct FilmCost {
  std::vector<double> evaluations;  // function evaluations of the model per clip
  std::vector<double> frames;       // pixel frames that the film shows of it
  double tokens = 0;                // that the model computed, per film
  double seconds = 0;               // of the clock, with decoding and measuring, per film
  double peak_memory = 0;           // bytes of the process, of all films of the job at once
};

/// Writes what the metrics said of the films of a job, its scenes in order, and what they cost,
/// where they were made here, as the job's part; `about` become attributes of the part.
void write_film_parts(const JobContext& context, const FilmScores& scores, const FilmCost& cost,
                      const Attributes& about = {});

}  // namespace svi
