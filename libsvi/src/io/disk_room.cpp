#include "disk_room.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "paths.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

/// Bytes that an ordinary user may still fill; empty: the file system does not tell.
std::optional<std::int64_t> free_bytes(const std::filesystem::path& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0 || status.f_blocks == 0) return std::nullopt;
  return static_cast<std::int64_t>(status.f_bavail) * static_cast<std::int64_t>(status.f_frsize);
}

std::optional<std::int64_t> largest_file() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::nullopt;
  return static_cast<std::int64_t>(limit.rlim_cur);
}

}  // namespace

std::string no_room(const std::filesystem::path& file, int code, std::int64_t needed) {
  if (code != ENOSPC && code != EDQUOT && code != EFBIG) return {};
  std::string text = std::strerror(code);
  if (needed > 0) text += cat("; the file needs ", needed, " bytes");
  if (code == EFBIG) {
    if (const auto limit = largest_file()) text += cat(", `ulimit -f` allows ", *limit);
    return text + "; raise the limit and repeat";
  }
  const auto folder = folder_of(file);
  if (const auto free = free_bytes(folder))
    text += cat(needed > 0 ? ", " : "; ", *free, " are free in ", folder.string());
  return text + (code == EDQUOT ? "; your quota is used up: free some space and repeat"
                                : "; free some space and repeat");
}

void write_all(int descriptor, std::string_view bytes, const std::filesystem::path& shown) {
  const auto needed = static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int code = errno;
      const auto full = no_room(shown, code, needed);
      raise<IoError>(shown.string(),
                     ": cannot be written: ", full.empty() ? std::strerror(code) : full);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void check_room(const std::filesystem::path& file, std::int64_t needed) {
  const auto limit = largest_file();
  int code = limit && *limit < needed ? EFBIG : 0;
  const auto free = free_bytes(folder_of(file));
  if (free && *free < needed) code = ENOSPC;
  if (code != 0)
    raise<IoError>(file.string(), ": cannot be written: ", no_room(file, code, needed));
}

}  // namespace svi
