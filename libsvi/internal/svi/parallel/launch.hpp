#pragma once

#include <functional>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// The value of an environment variable, or null.
using GetVariable = std::function<const char*(const char* name)>;

/// What is wrong if a launcher started several tasks but MPI sees one rank: each of them would take
/// itself for the whole run. Empty if nothing is. `variable` is the environment as it was before
/// MPI started. SVI_SINGLE_RANK=1 says that the tasks are meant to run alone.
///
/// Tells apart the tasks of a job step, where Slurm's variables count, from a batch script, an
/// interactive shell and the ranks of an mpirun inside a job, where they say how large the
/// allocation is.
SVI_EXPORT std::string launch_problem(const GetVariable& variable, int mpi_ranks);

/// What is wrong with the folder in which MPI keeps its temporary files: TMPDIR, TEMP, TMP or /tmp,
/// the first that is set. Empty if nothing is. Ranks started by a launcher get theirs from it.
SVI_EXPORT std::string temporary_folder_problem(const GetVariable& variable);

}  // namespace svi
