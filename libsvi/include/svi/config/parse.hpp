#pragma once

#include <functional>
#include <string>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/config/option.hpp"
#include "svi/core/export.hpp"

namespace svi {

/// Calls `describe` on some Config with the visitor given.
using Describe = std::function<void(OptionVisitor&)>;

/// Fills a Config from a section (null: defaults only). Keys in `reserved` (such as `type`) are
/// passed over. Throws ConfigError naming file, line, key, value and remedy: unknown key (with the
/// nearest known one), wrong type, out of range.
SVI_EXPORT void parse_section(const Document::Section* section, const Describe& describe,
                              const std::vector<std::string>& reserved = {"type"});

/// Throws ConfigError if `problem` is not empty, naming the section and where it stands.
SVI_EXPORT void raise_section_problem(const Document::Section* section, const std::string& name,
                                      const std::string& problem);

/// The same for a Config struct; then runs its `std::string problem() const`, if it has one.
template <Describable Config>
Config parse_config(const Document& document, const std::string& section) {
  Config config;
  const auto* found = document.find(section);
  parse_section(found, [&](OptionVisitor& visit) { config.describe(visit); });
  if constexpr (requires {
                  { config.problem() } -> std::convertible_to<std::string>;
                }) {
    raise_section_problem(found, section, config.problem());
  }
  return config;
}

/// The known name nearest to `given`, or empty if none is near: for "did you mean".
SVI_EXPORT std::string nearest_name(std::string_view given, const std::vector<std::string>& known);

/// The parts of a comma-separated list without the white space around them; empty ones are left
/// out.
SVI_EXPORT std::vector<std::string> split_list(const std::string& text);

/// "a, b, c": for messages that list what is allowed.
SVI_EXPORT std::string join(const std::vector<std::string>& parts,
                            std::string_view separator = ", ");

}  // namespace svi
