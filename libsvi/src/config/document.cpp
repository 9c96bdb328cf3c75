#include "svi/config/document.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"

namespace svi {
namespace {

std::string trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

/// A comment starts at '#' or ';' at the line's start or after white space; a quoted value may hold
/// both.
std::string_view without_comment(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    const bool mark = line[i] == '#' || line[i] == ';';
    if (mark && !quoted && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t'))
      return line.substr(0, i);
  }
  return line;
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  });
}

bool starts_with(std::string_view text, std::initializer_list<unsigned char> bytes) {
  return text.starts_with(std::string(bytes.begin(), bytes.end()));
}

/// Refuses what an editor saved in another encoding, and what is no text at all.
void check_encoding(std::string_view text, const std::string& file) {
  const bool wide = starts_with(text, {0xFF, 0xFE}) || starts_with(text, {0xFE, 0xFF}) ||
                    starts_with(text, {0, 0, 0xFE, 0xFF});
  const auto nul = text.find('\0');
  // Letters of this file in two bytes each: every other one is NUL.
  const bool alternating = text.size() > 3 && (text[0] == '\0') != (text[1] == '\0') &&
                           (text[0] == '\0') == (text[2] == '\0') &&
                           (text[1] == '\0') == (text[3] == '\0');
  if (wide || alternating) {
    raise<ConfigError>(file,
                       ": is a text in UTF-16 or UTF-32; save it as UTF-8, for example with "
                       "`iconv -f UTF-16 -t UTF-8`");
  }
  if (nul == std::string_view::npos) return;
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
  raise<ConfigError>(file, ":", line,
                     ": holds a NUL byte: this is no text, or a damaged one; give the INI file");
}

/// Refuses characters that nobody sees and that would end up in names, values and results.
void check_characters(std::string_view line, const std::string& where) {
  std::size_t column = 1;
  for (std::size_t at = 0; at < line.size(); ++column) {
    const auto character = utf8_character(line, at);
    const auto code = character.code;
    if (!character.valid) {
      raise<ConfigError>(where, ": column ", column, ": the byte ", printable(line.substr(at, 1)),
                         " is not UTF-8; save the file as UTF-8");
    }
    const bool end = at + 1 == line.size();
    const bool control = (code < 0x20 && code != '\t' && !(code == '\r' && end)) ||
                         (code >= 0x7F && code < 0xA0) || code == 0xFEFF;
    if (control) {
      raise<ConfigError>(where, ": column ", column, ": the control character ",
                         printable(line.substr(at, character.size)),
                         code == '\r' ? " ends lines on old systems; save the file with line feeds"
                         : code == 0xFEFF ? " belongs to the beginning of a file; remove it"
                                          : " does not show; remove it");
    }
    at += character.size;
  }
}

std::string unquoted(std::string value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    return value.substr(1, value.size() - 2);
  return value;
}

}  // namespace

Document Document::parse(const std::string& text, const std::string& file) {
  Document document;
  document.file_ = file;
  check_encoding(text, file);
  const bool marked = starts_with(text, {0xEF, 0xBB, 0xBF});  // as Windows' editors begin UTF-8
  std::istringstream lines(marked ? text.substr(3) : text);
  std::string raw, section;
  for (int number = 1; std::getline(lines, raw); ++number) {
    const auto where = cat(file, ":", number);
    check_characters(without_comment(raw), where);
    const auto line = trim(without_comment(raw));
    if (line.empty()) continue;
    if (line.front() == '[') {
      if (line.back() != ']')
        raise<ConfigError>(where, ": '", printable(line), "' opens a section without ']'");
      section = trim(std::string_view(line).substr(1, line.size() - 2));
      if (!is_name(section)) {
        raise<ConfigError>(where, ": '", printable(section),
                           "' is no section name; use letters, digits, '_', '-' and '.'");
      }
      if (const auto* earlier = document.find(section)) {
        raise<ConfigError>(where, ": section [", section, "] stands already at ", earlier->origin,
                           "; put its keys together");
      }
      document.touch(section, where);
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string::npos) {
      raise<ConfigError>(where, ": '", printable(line),
                         "' is neither a [section] nor 'key = value'");
    }
    if (section.empty())
      raise<ConfigError>(where, ": '", printable(line), "' stands before the first [section]");
    const auto key = trim(std::string_view(line).substr(0, equals));
    if (!is_name(key))
      raise<ConfigError>(where, ": '", printable(key),
                         "' is no key; use letters, digits, '_', '-' and '.'");
    for (const auto& entry : document.find(section)->entries) {
      if (entry.key == key)
        raise<ConfigError>(where, ": key '", key, "' stands already at ", entry.origin,
                           "; keep one");
    }
    document.set(section, key, unquoted(trim(std::string_view(line).substr(equals + 1))), where);
  }
  return document;
}

Document Document::read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) raise<ConfigError>(file, ": cannot be opened; is the path right?");
  std::ostringstream text;
  text << in.rdbuf();
  if (in.bad() || text.fail()) raise<ConfigError>(file, ": cannot be read");
  return parse(text.str(), file);
}

const Document::Section* Document::find(std::string_view section) const {
  const auto found = std::find_if(sections_.begin(), sections_.end(),
                                  [&](const Section& each) { return each.name == section; });
  return found == sections_.end() ? nullptr : &*found;
}

std::optional<std::string> Document::get(std::string_view section, std::string_view key) const {
  if (const auto* found = find(section)) {
    for (const auto& entry : found->entries) {
      if (entry.key == key) return entry.value;
    }
  }
  return std::nullopt;
}

Document::Section& Document::touch(std::string_view section, const std::string& origin) {
  for (auto& each : sections_) {
    if (each.name == section) return each;
  }
  sections_.push_back({std::string(section), origin, {}});
  return sections_.back();
}

void Document::set(std::string_view path, std::string value, std::string origin) {
  const auto dot = path.rfind('.');
  if (dot == std::string_view::npos || !is_name(path.substr(0, dot)) ||
      !is_name(path.substr(dot + 1))) {
    raise<ConfigError>(printable(origin), ": '", printable(path), "' is no section.key");
  }
  if (value.find('\n') != std::string::npos)
    raise<ConfigError>(printable(origin), ": the value has several lines; give one");
  check_characters(value, printable(origin));
  set(path.substr(0, dot), path.substr(dot + 1), std::move(value), std::move(origin));
}

void Document::set(std::string_view section, std::string_view key, std::string value,
                   std::string origin) {
  auto& found = touch(section, origin);
  for (auto& entry : found.entries) {
    if (entry.key == key) {
      entry.value = std::move(value);
      entry.origin = std::move(origin);
      return;
    }
  }
  found.entries.push_back({std::string(key), std::move(value), std::move(origin)});
}

void Document::erase(std::string_view section) {
  std::erase_if(sections_, [&](const Section& each) { return each.name == section; });
}

std::string Document::text() const {
  std::ostringstream out;
  for (const auto& section : sections_) {
    if (&section != &sections_.front()) out << "\n";
    out << "[" << section.name << "]\n";
    for (const auto& entry : section.entries) {
      const bool quote =
          entry.value.find_first_of("#;") != std::string::npos || trim(entry.value) != entry.value;
      out << entry.key << " = " << (quote ? "\"" + entry.value + "\"" : entry.value) << "\n";
    }
  }
  return out.str();
}

}  // namespace svi
