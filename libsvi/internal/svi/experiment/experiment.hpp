#pragma once

#include <string>

#include "svi/core/export.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// How a run treats what is already there.
struct RunOptions {
  bool resume = false;     // continue a stopped run
  bool overwrite = false;  // delete earlier results
  bool silent = false;     // print no table at the end: the caller reads the result file
  std::string program;     // argv[0], for provenance
};

/// How a run ended that met no error.
enum class RunEnd { complete, stopped };

/// Runs a plan on all ranks: encodes the clip pool, trains each arm for each seed, rolls out the
/// held-out scenes, measures, merges everything into <results>/<name>/<name>.h5 and writes
/// summary.json beside it.
///
/// A signal (see catch_stop_signals) to any rank stops the run: trainings save a checkpoint first.
///
/// Collective over `world`. What a finished job has written survives whatever happens later; a
/// stopped run goes on with `resume` and ends with the same numbers to the bit. Throws ConfigError
/// if results are there and neither resume nor overwrite is asked for, or if they belong to another
/// configuration, or if another process is working on the folder (see RunLock).
SVI_EXPORT RunEnd run_experiment(const Plan& plan, const Registry& registry,
                                 const Communicator& world, const RunOptions& options);

}  // namespace svi
