#include "svi/experiment/overrides.hpp"

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::string_view kArm = "arm.", kSize = "size.";

std::vector<std::string> names_after(std::string_view prefix, const Document& document) {
  std::vector<std::string> names;
  for (const auto& section : document.sections()) {
    if (section.name.starts_with(prefix)) names.push_back(section.name.substr(prefix.size()));
  }
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : join(names);
}

/// Applies the `section.key = value` lines of a section. Types first: another type has other
/// options, and those given before would be unknown to it.
void apply_lines(Document& document, const Document::Section& lines) {
  for (const bool types : {true, false}) {
    for (const auto& entry : lines.entries) {
      const auto dot = entry.key.rfind('.');
      const bool is_type = dot != std::string::npos && entry.key.substr(dot + 1) == "type";
      if (is_type != types) continue;
      const bool of_arm = entry.key.starts_with(kArm);
      const auto section = entry.key.substr(0, dot);
      if (is_type && !of_arm && document.get(section, "type") != entry.value)
        document.erase(section);
      set_option(document, entry.key, entry.value, entry.origin + " ([" + lines.name + "])");
    }
  }
}

}  // namespace

void set_option(Document& document, const std::string& path, const std::string& value,
                const std::string& origin) {
  if (path.starts_with(kSize)) {
    raise<ConfigError>(origin, ": '", path,
                       "' is a line of a size; choose a size with --size NAME, and set the option "
                       "itself");
  }
  if (!path.starts_with(kArm)) return document.set(path, value, origin);
  const auto dot = path.find('.', kArm.size());
  const auto arm = path.substr(0, dot);
  if (document.find(arm) == nullptr) {
    raise<ConfigError>(origin, ": there is no [", arm,
                       "]; arms: ", listed(names_after(kArm, document)));
  }
  const auto key = dot == std::string::npos ? "" : path.substr(dot + 1);
  if (key != "label" && (key.find('.') == std::string::npos || key.back() == '.')) {
    raise<ConfigError>(origin, ": '", path, "' is neither arm.NAME.section.key nor arm.NAME.label");
  }
  document.set(arm, key, value, origin);
}

Document apply_arm(const Document& base, const Document::Section& arm) {
  auto lines = arm;
  std::erase_if(lines.entries, [](const auto& entry) { return entry.key == "label"; });
  for (const auto& entry : lines.entries) {
    if (entry.key.find('.') == std::string::npos || entry.key.starts_with(kArm)) {
      raise<ConfigError>(entry.origin, ": [", arm.name, "] ", entry.key,
                         ": an arm holds 'label' and 'section.key = value' lines");
    }
  }
  auto document = base;
  apply_lines(document, lines);
  return document;
}

std::vector<std::string> size_names(const Document& document) {
  return names_after(kSize, document);
}

Document apply_size(const Document& document, const std::string& size) {
  const auto names = size_names(document);
  const auto* lines = document.find(std::string(kSize) + size);
  if (lines == nullptr) {
    raise<ConfigError>(document.file(), ": there is no [size.", size,
                       "]; sizes of this file: ", listed(names));
  }
  for (const auto& entry : lines->entries) {
    if (entry.key.find('.') == std::string::npos) {
      raise<ConfigError>(entry.origin, ": [", lines->name, "] ", entry.key,
                         ": a size holds 'section.key = value' lines");
    }
  }
  auto sized = document;
  for (const auto& name : names) sized.erase(std::string(kSize) + name);
  const auto origin = lines->origin + " ([" + lines->name + "])";
  const auto name = document.get("experiment", "name");
  if (name) sized.set("experiment", "name", *name + "_" + size, origin);
  apply_lines(sized, *lines);
  sized.set("experiment", "size", size, origin);
  return sized;
}

}  // namespace svi
