#pragma once

#include "experiment/jobs/jobs.hpp"
#include "svi/io/result_file.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Where the result file keeps features of clips and of their truth, [arm, seed, scene, clip, K,
/// D], and those of whole films, [arm, seed, scene, R, D].
inline constexpr char kFeatures[] = "/features/";
inline constexpr char kTrueFeatures[] = "/true_features/";
inline constexpr char kFilmFeatures[] = "/film_features/";
inline constexpr char kTrueFilmFeatures[] = "/true_film_features/";

/// Where it keeps what metrics lack, one line each; absent where nothing is missing.
inline constexpr char kMissing[] = "missing_metrics";

/// Unit, meaning and direction of a quantity.
Attributes attributes_of(const Quantity& quantity);

/// Reads the features that films have left in the parts of all jobs and writes a part `sets` of
/// `/metrics/set/<quantity>` [arm, seed, clip], over all scenes' clips of one index, and
/// `/metrics/film_set/<quantity>` [arm, seed], over all films: their Frechet distance from the
/// truth, or what the metric makes of them. Writes nothing where no metric gave features.
///
/// One rank calls it, when all jobs are done; the numbers depend on the parts alone. Warns where
/// the sets are too small for the number of features. Throws IoError for a damaged part.
void write_set_metrics(const RunView& run);

}  // namespace svi
