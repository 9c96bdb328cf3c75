#include "svi/io/output_path.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "svi/core/check.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr long kUsualName = 255;
// Of ".NAME.PROCESS-NUMBER.part": two dots, a process of up to ten digits, a number of up to ten.
constexpr long kTemporary = 28;

fs::path here(const fs::path& folder) { return folder.empty() ? fs::path(".") : folder; }

/// `folder`, or the nearest one above it that is there.
fs::path nearest(fs::path folder) {
  folder = fs::absolute(here(folder)).lexically_normal();
  std::error_code error;
  while (!fs::exists(fs::symlink_status(folder, error)) && folder.has_relative_path())
    folder = folder.parent_path();
  return folder;
}

/// Making a file is the only sure test: rights, read-only and virtual file systems.
void check_writable(const fs::path& folder, const fs::path& wanted) {
  const auto probe = folder / cat(".svi-", ::getpid(), ".part");
  const int descriptor = ::open(probe.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    raise<ConfigError>(wanted.string(), ": the folder ", folder.string(),
                       " cannot be written to: ", std::strerror(errno),
                       "; choose another, or change its rights");
  }
  ::close(descriptor);
  ::unlink(probe.c_str());
}

void check_name(const fs::path& path, std::size_t longest) {
  const auto size = path.filename().string().size();
  if (size <= longest) return;
  raise<ConfigError>(path.string(), ": the name has ", size, " bytes; this file system leaves ",
                     longest, " beside what temporary files add. Shorten it");
}

}  // namespace

bool is_below(const fs::path& file, const fs::path& folder) {
  std::error_code error;
  const auto inner = fs::weakly_canonical(file, error), outer = fs::weakly_canonical(folder, error);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

std::size_t longest_name(const fs::path& folder) {
  const long limit = ::pathconf(nearest(folder).c_str(), _PC_NAME_MAX);
  return static_cast<std::size_t>((limit > 0 ? limit : kUsualName) - kTemporary);
}

void check_output_file(const fs::path& file, bool makes_folder) {
  const auto name = file.filename();
  if (name.empty() || name == "." || name == "..")
    raise<ConfigError>("'", file.string(), "' names no file; add a name such as film.mp4");
  const auto folder = here(file.parent_path());
  std::error_code error;
  if (!fs::exists(folder, error)) {
    if (makes_folder) {
      check_output_folder(folder);
      return check_name(file, longest_name(folder));
    }
    raise<ConfigError>(file.string(), ": the folder ", folder.string(),
                       " is not there; make it with: mkdir -p '", folder.string(), "'");
  }
  if (!fs::is_directory(folder, error))
    raise<ConfigError>(file.string(), ": ", folder.string(), " is no folder; choose another");
  check_name(file, longest_name(folder));
  const auto status = fs::symlink_status(file, error);
  if (fs::is_symlink(status))
    raise<ConfigError>(file.string(), ": is a link; name the file itself, or another one");
  if (fs::is_directory(status)) {
    raise<ConfigError>(file.string(), ": is a folder; name a file, such as ",
                       (file / "film.mp4").string());
  }
  if (fs::exists(status) && !fs::is_regular_file(status))
    raise<ConfigError>(file.string(), ": is a device, pipe or socket; name a plain file");
  check_writable(folder, file);
}

void check_new_file(const fs::path& file) {
  check_output_file(file);
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    raise<ConfigError>(file.string(), ": is there already; name another file, or remove it");
}

void check_output_folder(const fs::path& folder) {
  std::error_code error;
  const auto there = nearest(folder);
  if (!fs::is_directory(there, error)) {
    raise<ConfigError>(folder.string(), ": ", there.string(), " is no folder; choose another name");
  }
  for (auto part = fs::absolute(here(folder)).lexically_normal();
       part != there && part.has_relative_path(); part = part.parent_path()) {
    check_name(part, longest_name(there));
  }
  check_writable(there, folder);
}

}  // namespace svi
