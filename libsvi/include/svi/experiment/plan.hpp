#pragma once

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
  std::string name;
  std::string label;  // for tables and figures
  Document document;  // complete: every section, every default
  bool trained = false;
};

/// An experiment as it will run: parsed, completed and checked, before anything is computed.
struct SVI_EXPORT Plan {
  ExperimentConfig experiment;
  RunConfig run;
  std::vector<Arm> arms;
  Document original;
  Document resolved;  // running it again gives the same numbers
  std::vector<LoadedPlugin> plugins;

  /// Loads the plugins named, builds every component of every arm once, and throws what is wrong:
  /// an unknown section, key, name or type, a value out of range, with file, line and remedy; also
  /// in sizes that were not asked for. `registry` holds the built-ins and receives the plugins.
  static Plan make(const Document& document, Registry& registry);

  /// Result folder: <results>/<name>.
  std::string folder() const;
};

/// What a section of an experiment is for: its describers, by name, for --describe and
/// docs/options.md.
struct SectionInfo {
  std::string name, summary;
  std::vector<OptionText> options;
};
SVI_EXPORT std::vector<SectionInfo> fixed_sections();

}  // namespace svi
