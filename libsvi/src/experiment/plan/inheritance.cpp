#include "svi/experiment/inheritance.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExperiment = "experiment", kBase = "base";
constexpr std::string_view kOwn[] = {"name", "question"};  // of [experiment]; never inherited

const Document::Entry* entry_of(const Document& document, std::string_view section,
                                std::string_view key) {
  const auto* found = document.find(section);
  if (found == nullptr) return nullptr;
  for (const auto& entry : found->entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

/// `[experiment] base` as paths, relative to the folder of the file that holds it.
std::vector<std::string> bases_of(const Document& document, const std::string& file) {
  std::vector<std::string> bases;
  const auto* entry = entry_of(document, kExperiment, kBase);
  if (entry == nullptr) return bases;
  for (const auto& name : split_list(entry->value)) {
    bases.push_back((fs::path(file).parent_path() / name).lexically_normal().string());
  }
  return bases;
}

Document without(const Document& document, const std::vector<std::string_view>& keys) {
  Document kept;
  for (const auto& section : document.sections()) {
    kept.add_section(section.name, section.origin);
    for (const auto& entry : section.entries) {
      const bool left_out = section.name == kExperiment &&
                            std::find(keys.begin(), keys.end(), entry.key) != keys.end();
      if (!left_out) kept.set(section.name, entry.key, entry.value, entry.origin);
    }
  }
  return kept;
}

/// `over` put on `under`, key by key.
void merge(Document& under, const Document& over) {
  for (const auto& section : over.sections()) {
    const auto type = over.get(section.name, "type");
    if (type && under.get(section.name, "type") != type) under.erase(section.name);
    under.add_section(section.name, section.origin);
    for (const auto& entry : section.entries)
      under.set(section.name, entry.key, entry.value, entry.origin);
  }
}

/// Two bases that disagree leave it to chance which of them holds, unless the file decides.
void check_agreement(const Document& first, const Document& second, const Document& own) {
  for (const auto& section : second.sections()) {
    for (const auto& entry : section.entries) {
      const auto* other = entry_of(first, section.name, entry.key);
      if (other == nullptr || other->value == entry.value) continue;
      if (entry_of(own, section.name, entry.key) != nullptr) continue;
      const auto path = section.name + "." + entry.key;
      raise<ConfigError>(entry.origin, ": ", path, " = ", entry.value, ", but another base says ",
                         other->value, " at ", other->origin, "; set ", path, " in ", own.file(),
                         " to decide");
    }
  }
}

class Reader {
 public:
  explicit Reader(const ReadText& read) : read_(read) {}

  Document read(const std::string& file, const std::string& asked_by) {
    const auto circle = std::find(open_.begin(), open_.end(), file);
    if (circle != open_.end()) {
      std::string way;
      for (auto each = circle; each != open_.end(); ++each) way += *each + " -> ";
      raise<ConfigError>(asked_by, ": [experiment] base goes in a circle: ", way, file);
    }
    const auto text = read_(file);
    if (!text) {
      if (asked_by.empty()) raise<ConfigError>(file, ": cannot be opened; is the path right?");
      raise<ConfigError>(asked_by, ": [experiment] base: ", file,
                         " cannot be opened; the path is relative to the file that names it");
    }
    open_.push_back(file);
    const auto own = Document::parse(*text, file);
    auto document = inherited(own, file);
    document.set_file(file);
    merge(document, without(own, {kBase}));
    open_.pop_back();
    return document;
  }

 private:
  Document inherited(const Document& own, const std::string& file) {
    Document all;
    const auto* line = entry_of(own, kExperiment, kBase);
    for (const auto& base : bases_of(own, file)) {
      const auto one = without(read(base, line->origin), {kOwn[0], kOwn[1]});
      check_agreement(all, one, own);
      merge(all, one);
    }
    return all;
  }

  const ReadText& read_;
  std::vector<std::string> open_;  // files being read, each asked for by the one before
};

}  // namespace

Document read_with_bases(const std::string& file, const ReadText& read) {
  auto document = Reader(read).read(fs::path(file).lexically_normal().string(), "");
  if (!document.sections().empty() && entry_of(document, kExperiment, kOwn[0]) == nullptr)
    document.set(std::string(kExperiment), std::string(kOwn[0]), fs::path(file).stem().string(),
                 file);
  return document;
}

}  // namespace svi
