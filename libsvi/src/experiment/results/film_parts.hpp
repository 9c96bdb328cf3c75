#pragma once

#include "experiment/jobs/jobs.hpp"
#include "svi/measure/film_meter.hpp"

namespace svi {

/// Writes what the metrics said of the films of a job, its scenes in order, as the job's part;
/// `about` become attributes of the part.
void write_film_parts(const JobContext& context, const FilmScores& scores,
                      const Attributes& about = {});

}  // namespace svi
