#pragma once

#include "svi/core/export.hpp"

namespace svi {

/// MPI for the lifetime of `main`: its first local. Initialises with MPI_THREAD_MULTIPLE.
class SVI_EXPORT Environment {
 public:
  /// Starts MPI. Throws ConfigError where the way this process was started would lead to a wrong
  /// run: see launch_problem and temporary_folder_problem.
  Environment(int& argc, char**& argv);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment();

  /// Ends every rank at once; for errors that not all ranks have seen.
  [[noreturn]] static void abort(int exit_code);
};

}  // namespace svi
