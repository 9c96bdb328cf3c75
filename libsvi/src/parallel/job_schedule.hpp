#pragma once

// Which job comes next, and how far each is; no communication. Private to parallel/.

#include <optional>
#include <string>
#include <vector>

#include "svi/core/clock.hpp"
#include "svi/parallel/job_queue.hpp"

namespace svi {

/// Not thread-safe.
class JobSchedule {
 public:
  enum class State { waiting, running, done };
  struct Job {
    JobSpec spec;
    State state = State::waiting;
    std::size_t missing = 0;  // predecessors not done
    std::vector<std::size_t> successors = {};
    double chain = 0;  // cost of the costliest chain that begins here
    int team = -1;
    double started = 0, ended = 0;  // seconds
    std::int64_t steps = 0, total = 0;
    std::string note = {};
  };

  /// Throws svi::Error for an unknown predecessor or a circle.
  explicit JobSchedule(const std::vector<JobSpec>& specs);

  /// Starts the most urgent job that is ready.
  std::optional<std::size_t> start(int team);
  void finish(std::size_t job);
  /// The job waits again: it was stopped on the way.
  void give_up(std::size_t job);
  void progress(std::size_t job, std::int64_t steps, std::int64_t total, std::string note);

  bool all_done() const { return done_ == jobs_.size(); }
  std::size_t done() const { return done_; }
  const std::vector<Job>& jobs() const { return jobs_; }
  double seconds() const { return watch_.seconds(); }
  /// Seconds until all are done, by cost; negative while nothing is known.
  double remaining_seconds() const;
  /// All of it, for an observer; `ranks_per_job` and `ranks` tell who a team is.
  QueueStatus status(int ranks_per_job, int ranks) const;
  /// Seconds until a running job is done; negative while it has not told how far it is.
  double remaining_seconds(const Job& job) const;

 private:
  std::vector<Job> jobs_;
  std::size_t done_ = 0;
  Stopwatch watch_;
};

}  // namespace svi
