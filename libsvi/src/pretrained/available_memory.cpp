#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "svi/core/check.hpp"
#include "svi/pretrained/memory_plan.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr auto kNoLimit = std::numeric_limits<std::int64_t>::max();

/// The number after `key` at the start of a line; with an empty key, the file's first word.
std::optional<std::int64_t> number_in(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string word, line; std::getline(in, line);) {
    std::istringstream words(line);
    if (!key.empty() && (!(words >> word) || word != key)) continue;
    std::int64_t value = 0;
    if (!(words >> value)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

/// The names under which the two versions of control groups tell limit and use.
struct GroupFiles {
  const char *limit, *used, *inactive, *active;
};
constexpr GroupFiles kUnified{"memory.max", "memory.current", "inactive_file", "active_file"};
constexpr GroupFiles kLegacy{"memory.limit_in_bytes", "memory.usage_in_bytes",
                             "total_inactive_file", "total_active_file"};

/// What one group leaves; file pages in its use can be dropped.
std::int64_t left_in(const fs::path& group, const GroupFiles& files) {
  const auto limit = number_in(group / files.limit, "");
  const auto used = number_in(group / files.used, "");
  if (!limit || !used) return kNoLimit;
  const auto stat = group / "memory.stat";
  const auto pages =
      number_in(stat, files.inactive).value_or(0) + number_in(stat, files.active).value_or(0);
  return std::max<std::int64_t>(0, *limit - std::max<std::int64_t>(0, *used - pages));
}

/// The least that this group and those around it leave.
std::int64_t left_around(const fs::path& mount, const fs::path& group, const GroupFiles& files) {
  auto left = left_in(mount, files);
  auto place = mount;
  for (const auto& part : group.relative_path()) {
    place /= part;
    left = std::min(left, left_in(place, files));
  }
  return left;
}

}  // namespace

std::int64_t available_memory(const fs::path& root) {
  const auto meminfo = root / "proc" / "meminfo";
  const auto available = number_in(meminfo, "MemAvailable:");
  if (!available) raise<IoError>(meminfo.string(), ": has no line MemAvailable");
  auto left = *available * 1024;

  const auto mount = root / "sys" / "fs" / "cgroup";
  std::ifstream groups(root / "proc" / "self" / "cgroup");
  for (std::string line; std::getline(groups, line);) {  // number:controllers:/path
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const auto path = fs::path(line.substr(second + 1));
    if (controllers == ",,") left = std::min(left, left_around(mount, path, kUnified));
    if (controllers.find(",memory,") != std::string::npos)
      left = std::min(left, left_around(mount / "memory", path, kLegacy));
  }
  return left;
}

}  // namespace svi
