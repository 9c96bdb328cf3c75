#pragma once

#include <string>

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Every component by kind, with its summary and where it comes from.
SVI_EXPORT std::string list_components(const Registry& registry);

/// The options of a section ("training"), a kind ("injection"), a component ("injection.bernoulli")
/// or "all", as text or Markdown. Throws ConfigError for an unknown name, with the nearest known
/// one.
SVI_EXPORT std::string describe(const Registry& registry, const std::string& what, bool markdown);

}  // namespace svi
