#pragma once

#include <string>

#include "job_schedule.hpp"

namespace svi {

/// Shows a schedule on a terminal or in a file; private to parallel/.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(const ProgressOptions& options);

  void started(const JobSchedule& schedule, std::size_t job, const std::string& ranks);
  void finished(const JobSchedule& schedule, std::size_t job);
  /// To be called often; shows something when it is time.
  void tick(const JobSchedule& schedule);
  /// The last line.
  void end(const JobSchedule& schedule);

 private:
  void line(const std::string& text);
  void draw(const JobSchedule& schedule);
  void wipe();

  bool own_;  // not standard error
  std::ostream& out_;
  ProgressOptions::Style style_;
  double interval_;
  double next_ = 0;
  int drawn_ = 0;  // lines of the block on the screen
};

}  // namespace svi
