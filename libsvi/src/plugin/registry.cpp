#include "svi/plugin/registry.hpp"

#include "svi/core/check.hpp"

namespace svi {

void Registry::add(Registration registration) {
  auto& names = kinds_[registration.kind];
  const auto found = names.find(registration.name);
  if (found != names.end()) {
    raise<PluginError>("'", registration.origin, "' registers ", registration.kind, ".",
                       registration.name, ", which '", found->second.origin,
                       "' provides already; rename one");
  }
  const auto name = registration.name;
  names.emplace(name, std::move(registration));
}

const Registration& Registry::find(std::string_view kind, std::string_view name,
                                   std::string_view origin) const {
  const std::string prefix = origin.empty() ? "" : std::string(origin) + ": ";
  const auto names = kinds_.find(std::string(kind));
  if (names == kinds_.end()) raise<ConfigError>(prefix, "nothing provides a '", kind, "'");
  const auto found = names->second.find(std::string(name));
  if (found == names->second.end()) {
    std::vector<std::string> known;
    for (const auto& [each, registration] : names->second) known.push_back(each);
    const auto near = nearest_name(name, known);
    raise<ConfigError>(prefix, "[", kind, "] type = ", name, " is not known; ",
                       near.empty() ? "" : "did you mean '" + near + "'? ", "known: ", join(known),
                       " (is a plugin missing in [experiment] plugins?)");
  }
  return found->second;
}

std::unique_ptr<Component> Registry::make_any(std::string_view kind, const Document& document,
                                              const std::string& section, std::string_view fallback,
                                              Document* resolved) const {
  const auto* found = document.find(section);
  std::string name(fallback), origin;
  if (found != nullptr) {
    for (const auto& entry : found->entries) {
      if (entry.key == "type") name = entry.value, origin = entry.origin;
    }
  }
  const auto& registration = find(kind, name, origin);
  if (resolved != nullptr) resolved->set(section, "type", name, "resolved");
  // Defaults must be resolved under this section's name too, so an absent one is made up.
  const Document::Section empty{section, "defaults", {}};
  return registration.make(found != nullptr ? found : &empty, resolved);
}

}  // namespace svi
