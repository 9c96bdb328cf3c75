#pragma once

#include <memory>
#include <string>

#include "svi/core/export.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// From now on SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGXCPU and SIGHUP ask this process to stop,
/// which goes on until it looks. SIGHUP, SIGUSR1 and SIGUSR2 stay ignored where they were (nohup).
/// A second SIGINT, a second or more after the first signal, ends the process at once. SIGPIPE is
/// ignored from now on: a reader of the output may leave.
SVI_EXPORT void catch_stop_signals();

/// The first signal that asked this process to stop, such as "SIGTERM"; empty: none.
SVI_EXPORT std::string stop_signal();

/// Whether a group of ranks shall stop: a signal to one rank counts for all. Copies share the
/// state. Any thread may ask.
class SVI_EXPORT StopRequest {
 public:
  /// Collective over `world`.
  explicit StopRequest(const Communicator& world);

  /// Whether this rank knows of a signal to itself or to another rank; tells the others of one to
  /// itself. Cheap; not collective. Every rank must ask now and then.
  bool requested() const;
  /// The same on all ranks of `team`, which do something together. Collective over `team`.
  bool requested_by_any(const Communicator& team) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace svi
