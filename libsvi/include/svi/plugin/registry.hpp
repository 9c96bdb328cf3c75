#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "svi/config/describe.hpp"
#include "svi/config/parse.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// A component that can be registered: derives from the interface, has a self-describing `Config`,
/// and is built from it.
template <class Impl, class Interface>
concept Configurable =
    std::derived_from<Impl, Interface> && std::derived_from<Interface, Component> &&
    Describable<typename Impl::Config> && std::constructible_from<Impl, typename Impl::Config>;

/// What the registry knows of one implementation.
struct Registration {
  std::string kind, name, summary;                   // "injection", "bernoulli", one sentence
  std::string origin;                                // "built-in" or the plugin's name and version
  std::function<std::vector<OptionText>()> options;  // its options, for users
  /// Builds one from a section; null means all defaults. `resolved`, if given, receives every value
  /// used.
  std::function<std::unique_ptr<Component>(const Document::Section*, Document* resolved)> make;
};

/// Names to makers, by kind. An ordinary object: `main` owns one, a test makes its own.
class SVI_EXPORT Registry {
 public:
  /// Throws PluginError if kind and name are taken.
  void add(Registration registration);
  /// All registrations by kind, then name.
  const std::map<std::string, std::map<std::string, Registration>>& kinds() const { return kinds_; }
  /// Throws ConfigError naming the nearest known name.
  const Registration& find(std::string_view kind, std::string_view name,
                           std::string_view origin = {}) const;

  /// Builds the `Interface` that `section` (default: its kind) names by `type =`; `fallback` is the
  /// type where the section or the key is missing.
  template <class Interface>
  std::unique_ptr<Interface> make(
      const Document& document, std::string_view fallback, Document* resolved = nullptr,
      const std::string& section = std::string(Interface::kKind)) const {
    auto made = make_any(Interface::kKind, document, section, fallback, resolved);
    return std::unique_ptr<Interface>(static_cast<Interface*>(made.release()));
  }

 private:
  std::unique_ptr<Component> make_any(std::string_view kind, const Document& document,
                                      const std::string& section, std::string_view fallback,
                                      Document* resolved) const;

  std::map<std::string, std::map<std::string, Registration>> kinds_;
};

/// Handed to built-ins and plugins to register what they provide.
class SVI_EXPORT Registrar {
 public:
  Registrar(Registry& registry, std::string origin)  // of built-ins or one plugin
      : registry_(registry), origin_(std::move(origin)) {}
  /// Registers `Impl`, which implements `Interface`. Throws PluginError if the name is taken.
  template <class Interface, class Impl>
  requires Configurable<Impl, Interface>
  void add(std::string name, std::string summary) {
    using Config = typename Impl::Config;
    registry_.add(
        {std::string(Interface::kKind), std::move(name), std::move(summary), origin_,
         [] {
           Config config;
           return option_texts([&](OptionVisitor& visit) { config.describe(visit); });
         },
         [](const Document::Section* section, Document* resolved) -> std::unique_ptr<Component> {
           Config config;
           const Describe describe = [&](OptionVisitor& visit) { config.describe(visit); };
           parse_section(section, describe);
           if constexpr (requires {
                           { config.problem() } -> std::convertible_to<std::string>;
                         }) {
             raise_section_problem(section, std::string(Interface::kKind), config.problem());
           }
           if (resolved != nullptr) {
             resolve_into(*resolved,
                          section != nullptr ? section->name : std::string(Interface::kKind),
                          describe);
           }
           // Through Interface: the registry casts back from Component to it.
           return std::unique_ptr<Interface>(std::make_unique<Impl>(std::move(config)));
         }});
  }

 private:
  Registry& registry_;
  std::string origin_;
};

}  // namespace svi
