#pragma once

#include <string>

#include "svi/experiment/experiment.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/io/own_folder.hpp"

namespace svi {

/// <results>/<name> of a plan: what is there already, and whether a run may begin, go on, or must
/// refuse. On one rank.
class ResultsFolder {
 public:
  explicit ResultsFolder(const Plan& plan);

  /// Throws ConfigError if the run must be refused. Touches nothing.
  void check(const RunOptions& options) const;
  /// After check(), and after everything else was checked: removes what is to be replaced, makes
  /// the folder and writes its INI files. Throws IoError.
  void begin(const RunOptions& options) const;

 private:
  bool begun() const;  // something was computed
  void check_inputs() const;

  const Plan& plan_;
  OwnFolder own_;
};

}  // namespace svi
