#pragma once

#include <filesystem>

#include "jobs.hpp"

namespace svi {

/// Where the result file keeps features of films and of the truth, [arm, seed, scene, clip, K, D].
inline constexpr char kFeatures[] = "/features/";
inline constexpr char kTrueFeatures[] = "/true_features/";

/// Reads the features that all rollouts have left in their parts and writes a part `sets` of
/// `/metrics/set/<quantity>` [arm, seed, clip]: the Frechet distance between films and truth, over
/// all scenes' clips of one index. Writes nothing where no metric gave features.
///
/// One rank calls it, when all jobs are done; the numbers depend on the parts alone. Warns where
/// the sets are too small for the number of features. Throws IoError for a damaged part.
void write_set_metrics(const std::filesystem::path& folder, const JobList& list,
                       const ResultShape& shape);

}  // namespace svi
