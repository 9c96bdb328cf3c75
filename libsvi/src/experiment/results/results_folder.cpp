#include "results_folder.hpp"

#include <filesystem>
#include <sstream>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/output_path.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr const char *kResolved = "resolved.ini", *kOriginal = "original.ini";

/// What must be equal for two runs to belong together: everything but where they run.
std::string identity(const Document& resolved) {
  Document document = resolved;
  document.erase("run");
  return document.text();
}

std::string first_difference(const std::string& before, const std::string& now) {
  std::istringstream a(before), b(now);
  std::string x, y, section;
  while (true) {
    const bool more_a = static_cast<bool>(std::getline(a, x)),
               more_b = static_cast<bool>(std::getline(b, y));
    if (!more_a && !more_b) return "";
    if (more_a && x.starts_with('[')) section = x;
    if (!more_a || !more_b || x != y) {
      return cat("in ", section, " it was '", more_a ? x : "", "', now it is '", more_b ? y : "",
                 "'");
    }
  }
}

/// `text` is `before`, a number, `after`.
bool is_numbered(std::string_view text, std::string_view before, std::string_view after) {
  if (text.size() <= before.size() + after.size() || !text.starts_with(before) ||
      !text.ends_with(after)) {
    return false;
  }
  text = text.substr(before.size(), text.size() - before.size() - after.size());
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_result_folder(const fs::path& relative) {
  static const std::vector<std::string> kFolders = {"parts",   "cache",       "lora",  "banks",
                                                    "weights", "checkpoints", "videos"};
  const auto top = *relative.begin();
  const auto depth = std::distance(relative.begin(), relative.end());
  if (depth == 2) return top == "checkpoints" || top == "videos";
  return depth == 1 && std::find(kFolders.begin(), kFolders.end(), top.string()) != kFolders.end();
}

/// The file `name` of the folder `folder`; see docs/result-format.md.
bool is_result_in(const fs::path& folder, const std::string& name) {
  const auto top = folder.begin()->string();
  const bool weights = name.ends_with(".safetensors");
  if (top == "parts") return name.ends_with(".h5");
  if (top == "cache") return weights && name.starts_with("pool-");
  if (top == "weights") return weights;
  if (top == "lora" || top == "banks") {
    const auto seed = name.rfind("-seed");
    return seed != std::string::npos && is_numbered(name.substr(seed), "-seed", ".safetensors");
  }
  if (top == "checkpoints") return is_numbered(name, "step-", ".safetensors");
  return top == "videos" &&
         (is_numbered(name, "scene", ".mp4") || is_numbered(name, "scene", ".json"));
}

/// Names that a run called `experiment` gives.
bool is_result(const fs::path& relative, bool folder, const std::string& experiment) {
  if (folder) return is_result_folder(relative);
  const auto name = relative.filename().string();
  if (relative.has_parent_path()) {
    return is_result_folder(relative.parent_path()) && is_result_in(relative.parent_path(), name);
  }
  return name == kResolved || name == kOriginal || name == "progress.json" ||
         name == "summary.json" || name == "header.h5" || name == experiment + ".h5";
}

/// Every value of the document, and every item of its lists.
std::vector<std::string> values_of(const Document& document) {
  std::vector<std::string> values;
  for (const auto& section : document.sections()) {
    for (const auto& entry : section.entries) {
      values.push_back(entry.value);
      std::istringstream items(entry.value);
      for (std::string item; std::getline(items >> std::ws, item, ',');) values.push_back(item);
    }
  }
  return values;
}

}  // namespace

ResultsFolder::ResultsFolder(const Plan& plan)
    : plan_(plan),
      own_(plan.folder(), "experiment",
           [name = plan.experiment.name](const fs::path& relative, bool folder) {
             return is_result(relative, folder, name);
           }) {}

bool ResultsFolder::begun() const {
  const auto made = own_.made();
  return std::any_of(made.begin(), made.end(), [](const fs::path& file) {
    return file != kResolved && file != kOriginal && file != "progress.json";
  });
}

void ResultsFolder::check_inputs() const {
  for (const auto& arm : plan_.arms) {
    for (const auto& value : values_of(arm.document)) {
      std::error_code error;
      if (value.empty() || !fs::exists(value, error) || !is_below(value, own_.path())) continue;
      raise<ConfigError>(own_.path().string(), ": --overwrite would remove ", value,
                         ", which [arm.", arm.name, "] reads; copy it elsewhere, or give another ",
                         "name with --set experiment.name=OTHER");
    }
  }
}

void ResultsFolder::check(const RunOptions& options) const {
  const auto folder = own_.path();
  check_output_folder(folder);
  if (options.overwrite) {
    own_.check_clear();
    return check_inputs();
  }
  const auto resolved = folder / kResolved;
  if (!fs::exists(resolved)) return own_.check_usable();
  const auto difference =
      first_difference(identity(Document::read(resolved.string())), identity(plan_.resolved));
  if (!begun() && own_.state() == OwnFolder::State::own) return;  // a start that failed
  if (!options.resume) {
    raise<ConfigError>(folder.string(),
                       " holds results already; use --resume to go on with them, --overwrite to "
                       "replace them, or --set experiment.name=OTHER");
  }
  if (difference.empty()) return;
  raise<ConfigError>(folder.string(), " belongs to another configuration: ", difference,
                     "; use --overwrite, or --set experiment.name=OTHER");
}

void ResultsFolder::begin(const RunOptions& options) const {
  if (options.overwrite) {
    const auto left = own_.clear();
    if (!left.empty()) {
      std::vector<std::string> names;
      for (const auto& path : left) names.push_back(path.string());
      SVI_WARN("experiment", own_.path().string(), ": svi-experiment did not make ", join(names),
               "; this stays");
    }
  }
  fs::create_directories(own_.path());
  own_.claim();
  write_file(own_.path() / kOriginal, plan_.original.text());
  write_file(own_.path() / kResolved, plan_.resolved.text());
}

}  // namespace svi
