#pragma once

#include <optional>
#include <string>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/core/export.hpp"
#include "svi/experiment/settings.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// One arm of an experiment: the base document with the arm's overrides applied.
struct Arm {
  std::string name;      // of [arm.NAME]
  std::string label;     // for tables and figures
  Document document;     // complete: every section, every default
  bool trained = false;  // whether training.steps > 0
};

/// An experiment as it will run: parsed, completed and checked, before anything is computed.
struct SVI_EXPORT Plan {
  ExperimentConfig experiment;          // [experiment]
  RunConfig run;                        // [run]
  std::vector<Arm> arms;                // in the order of the file
  Document original;                    // the file as given
  Document resolved;                    // running it again gives the same numbers
  std::vector<LoadedPlugin> plugins;    // in the order they are named
  std::optional<LoadedPlugin> shipped;  // the default folder's, which nobody has to name
  /// Of a run: what is missing of metrics that give no number, one line each; see
  /// missing_metrics().
  std::vector<std::string> missing = {};

  /// Loads the plugins named, builds every component of every arm once, and throws what is wrong:
  /// an unknown section, key, name or type, a value out of range, with file, line and remedy; also
  /// in sizes that were not asked for. `registry` holds the built-ins and receives the plugins.
  static Plan make(const Document& document, Registry& registry);

  /// Result folder: <results>/<name>.
  std::string folder() const;
};

/// Looks for every file that the metrics of a plan need, reading each through for its hash: a line
/// for each that is not there or is another file, with all a user needs to know to get it. Such a
/// metric gives no number.
SVI_EXPORT std::vector<std::string> missing_metrics(const Plan& plan, const Registry& registry);

/// What a section of an experiment is for: its describers, by name, for --describe and
/// docs/options.md.
struct SectionInfo {
  std::string name, summary;        // text for users
  std::vector<OptionText> options;  // in the order of the section
};
SVI_EXPORT std::vector<SectionInfo> fixed_sections();  // [experiment], [run], ...

}  // namespace svi
