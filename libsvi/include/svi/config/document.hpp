#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// An INI file as ordered sections of ordered entries, each with the line it stands on.
///
/// Sections: `[kind]` or `[kind.label]`. Comments: `#` or `;` at the start of a line or after white
/// space.
class SVI_EXPORT Document {
 public:
  struct Entry {             // One line `key = value`.
    std::string key, value;  // as written, without white space around them
    std::string origin;      // "experiments/x.ini:12", "--set", or "[arm.erft] at x.ini:40"
  };
  struct Section {               // One `[section]` with its lines, in order.
    std::string name;            // without brackets: "training", "metric.psnr"
    std::string origin;          // where its head stands, like Entry::origin
    std::vector<Entry> entries;  // in the order of the file
  };

  /// Reads text; `file` only names it in errors. Throws ConfigError: no section, no '=', a key
  /// twice.
  static Document parse(const std::string& text, const std::string& file);
  /// Reads a file; throws ConfigError if it cannot be opened.
  static Document read(const std::string& file);

  const std::vector<Section>& sections() const { return sections_; }  // in order
  const Section* find(std::string_view section) const;                // null if there is none
  std::optional<std::string> get(std::string_view section, std::string_view key) const;  // or not

  /// Sets or replaces a value. `path` is "section.key"; the key is what follows the last dot.
  void set(std::string_view path, std::string value, std::string origin);
  void set(std::string_view section, std::string_view key, std::string value, std::string origin);
  void erase(std::string_view section);  // with all its entries
  /// Adds an empty section where there is none of that name.
  void add_section(std::string_view section, const std::string& origin) { touch(section, origin); }

  /// Canonical text: parse(text()) equals this document but for origins.
  std::string text() const;
  const std::string& file() const { return file_; }             // as given to parse()
  void set_file(std::string file) { file_ = std::move(file); }  // for messages

 private:
  Section& touch(std::string_view section, const std::string& origin);

  std::vector<Section> sections_;
  std::string file_;
};

}  // namespace svi
