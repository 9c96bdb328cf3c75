#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/stop.hpp"

namespace svi {

/// A piece of work for one team of ranks.
struct JobSpec {
  std::string name;                     // unique in a queue
  std::vector<std::size_t> after = {};  // jobs that must be finished before
  double cost = 1;  // in any one unit; long chains start first, and the ETA weighs by it
};

/// How far one job is. Seconds count from the beginning of the queue.
struct JobStatus {
  enum class State { waiting, running, done };  // the states of a job
  std::string name = {};                        // of its JobSpec
  State state = State::waiting;                 // now
  int first_rank = -1, last_rank = -1;          // of the team that has it; -1 while it waits
  double started = -1, ended = -1;              // seconds; -1: not yet
  std::int64_t steps = 0, total = 0;            // as it told last; total 0: it has told nothing
  std::string note = {};                        // as it told last
  double remaining_seconds = -1;                // -1: not known
};

/// How far a queue of jobs is.
struct QueueStatus {
  double seconds = 0;                // since its beginning
  double remaining_seconds = -1;     // until all are done, by cost; -1: not known
  bool ended = false;                // all are done, and this is the last one
  std::vector<JobStatus> jobs = {};  // in the order of the queue
};

/// How the running jobs are shown on rank 0.
struct ProgressOptions {
  enum class Style {  // the ways to show them
    automatic,        // block on a terminal, lines in a file
    block,            // one block of lines, drawn again in place
    lines,            // a line when a job starts and ends, and one per interval
    silent,
  };
  Style style = Style::automatic;  // the one to use
  double interval_seconds = 30;    // between lines
  std::ostream* out = nullptr;     // null: standard error
  /// Called from the queue's thread on rank 0 at the beginning, about every `observe_seconds` and
  /// at the end, never while a job waits for a lock. One that takes long is called less often, so
  /// that it takes a twentieth of the time at most. Must not throw.
  std::function<void(const QueueStatus&)> observe = {};
  double observe_seconds = 1;  // seconds, above 0
};

/// Tells how far a job is. On ranks other than the team's first it does nothing.
class SVI_EXPORT JobProgress {
 public:
  /// Receives the number of steps done, their total and a note.
  using Sink = std::function<void(std::int64_t done, std::int64_t total, const std::string& note)>;

  explicit JobProgress(Sink sink) : sink_(std::move(sink)) {}  // calls it

  /// `done` of `total` steps; `note` is a short text such as "loss 0.12". Cheap: most calls send
  /// nothing.
  void update(std::int64_t done, std::int64_t total, const std::string& note = {});

 private:
  Sink sink_;
  double last_ = -1e9;
};

/// Thrown by a job that was asked to stop, on one or all ranks of its team, after it has saved what
/// it goes on from.
struct JobStopped {};

/// Called with the index of the job on every rank of one team.
using JobWork =
    std::function<void(std::size_t job, const Communicator& team, JobProgress& progress)>;

/// Runs all jobs over teams of `ranks_per_job` ranks (the last team may be smaller) and returns
/// when all are done: true; or when `stop` was requested and no job runs any more: false, alike on
/// all ranks. Collective over `world`, over which `stop`, if any, was made.
///
/// A thread of rank 0 hands out the jobs whose predecessors are finished, those at the head of the
/// costliest chain first; waiting ranks sleep. An exception of a job on any rank is printed with
/// rank and job, and all ranks are ended with exit code 2 (ConfigError, IoError, PluginError) or 1;
/// in a world of one rank it is rethrown. Throws ConfigError if there are fewer ranks than
/// `ranks_per_job`.
SVI_EXPORT bool run_jobs(const Communicator& world, int ranks_per_job,
                         const std::vector<JobSpec>& jobs, const JobWork& work,
                         const ProgressOptions& options = {}, const StopRequest* stop = nullptr);

}  // namespace svi
