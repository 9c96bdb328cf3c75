#include "svi/metric/metric_context.hpp"

#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"

namespace svi {

namespace fs = std::filesystem;

fs::path path_of(const MetricFile& file, const fs::path& folder) {
  return file.given.empty() ? folder / file.file : fs::path(file.given);
}

bool is_wanted(const MetricFile& file, const std::string& sha256) {
  return sha256.size() == 64 && sha256.starts_with(file.sha256);
}

LocatedFile locate(const MetricFile& file, const fs::path& folder) {
  LocatedFile found{path_of(file, folder).string(), "", ""};
  std::error_code error;
  if (!fs::is_regular_file(found.path, error)) {
    found.problem = fs::exists(found.path, error) ? "is no file" : "does not exist";
    return found;
  }
  try {
    found.sha256 = sha256_file(found.path);
  } catch (const IoError& refusal) {
    found.problem = cat("cannot be read (", refusal.what(), ")");
    return found;
  }
  if (!is_wanted(file, found.sha256))
    found.problem = cat("is another file: its SHA-256 is ", found.sha256);
  return found;
}

std::string missing_text(const MetricFile& file, const LocatedFile& found,
                         const std::string& section) {
  auto text = cat("[", section, "] is missing ", file.name, " (", file.what, "): ", found.path, " ",
                  found.problem, "; wanted: ", file.file);
  if (file.bytes > 0) text += cat(", ", file.bytes, " bytes");
  text += file.sha256.empty()        ? ", of any content"
          : file.sha256.size() == 64 ? cat(", SHA-256 ", file.sha256)
                                     : cat(", SHA-256 beginning with ", file.sha256);
  if (!file.source.empty()) text += cat("; get it from ", file.source);
  text += "; put it into the folder of [evaluation] weights";
  if (!file.option.empty()) text += cat(", or name it by [", section, "] ", file.option);
  return text;
}

const LocatedFile& MetricContext::file(const std::string& name) const {
  const auto found = files.find(name);
  SVI_CHECK(found != files.end(), "the metric asks for the file '", name,
            "', which its needs() do not list");
  return found->second;
}

}  // namespace svi
