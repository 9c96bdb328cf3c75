#pragma once

#include <exception>
#include <functional>
#include <string>

#include "svi/core/export.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// A program that stopped because a signal asked for it; it goes on where it stopped.
inline constexpr int kStoppedExitCode = 3;

/// The exit code that an error ends a program with: 2 for mistakes of the user and what is wrong
/// with files and plugins, 1 for anything else.
SVI_EXPORT int exit_code_of(const std::exception& error);
/// What to tell of it: with the file, for an error of the file system; without LibTorch's stack.
SVI_EXPORT std::string text_of(const std::exception& error);

/// A program of ranks, as its `main` sees it.
struct Program {
  const char* name;  // stands before messages
  /// Whether a ConfigError or PluginError is thrown alike on all ranks: then rank 0 tells it and
  /// every rank returns, otherwise the rank that throws ends all.
  bool alike = false;
  std::function<int(const Communicator&)> run;  // on every rank; returns the exit code
};

/// Runs a program with MPI and returns its exit code. What `run` throws becomes a message and the
/// code of exit_code_of. With several ranks an error ends all at once, since the others may wait
/// for this one.
SVI_EXPORT int run_program(const Program& program, int argc, char** argv);

}  // namespace svi
