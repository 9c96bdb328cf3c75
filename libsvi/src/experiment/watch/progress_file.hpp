#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "experiment/jobs/jobs.hpp"
#include "svi/parallel/job_queue.hpp"

namespace svi {

/// Keeps <folder>/progress.json up to date, for whoever follows a run from outside: --watch and the
/// report page. Fields: docs/result-format.md.
///
/// Never fails: a disk that refuses is reported once, and the run goes on without. One thread at a
/// time.
class ProgressFile {
 public:
  /// Writes the first one, with every job waiting.
  ProgressFile(const Plan& plan, const JobList& list, int ranks);

  void jobs(const QueueStatus& status);
  /// What happens after the jobs: "merging", "complete", "stopped" with the signal or, with what
  /// went wrong, "failed".
  void state(const std::string& state, const std::string& message = {});

 private:
  void write();

  const Plan& plan_;
  const JobList& list_;
  int ranks_;
  std::filesystem::path path_;
  double started_;
  std::string state_ = "running", message_;
  QueueStatus status_;
  double pace_ = 1;  // seconds until the next one
  bool refused_ = false;
};

}  // namespace svi
