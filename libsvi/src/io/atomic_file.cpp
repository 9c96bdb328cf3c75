#include "svi/io/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "disk_room.hpp"
#include "paths.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

std::string reason(const std::filesystem::path& path, int code, std::size_t needed = 0) {
  const auto full = no_room(path, code, static_cast<std::int64_t>(needed));
  return full.empty() ? std::strerror(code) : full;
}

/// Makes the rename itself durable. A file system that cannot sync folders loses at most the new
/// name.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> serial{0};
  std::error_code error;
  std::filesystem::create_directories(folder_of(path_), error);
  temporary_ = folder_of(path_) /
               cat(".", path_.filename().string(), ".", ::getpid(), "-", serial++, ".part");
  // A leftover of the same name can only come from a dead process with our id: replace it.
  descriptor_ = ::open(temporary_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    raise<IoError>(path_.string(), ": cannot be created: ", reason(path_, errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t size) {
  SVI_CHECK(descriptor_ >= 0, path_.string(), " is already committed");
  const char* next = static_cast<const char*>(data);
  size_ += size;
  while (size > 0) {
    const ssize_t written = ::write(descriptor_, next, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      raise<IoError>(path_.string(), ": cannot be written: ", reason(path_, errno, size_));
    next += written;
    size -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  SVI_CHECK(descriptor_ >= 0, path_.string(), " is already committed");
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) {
    raise<IoError>(path_.string(), ": cannot be written: ", reason(path_, errno, size_));
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    raise<IoError>(path_.string(), ": cannot be renamed from ", temporary_.string(), ": ",
                   reason(path_, errno));
  }
  ::close(descriptor_);
  descriptor_ = -1;
  sync_folder(folder_of(path_));
}

void write_file(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace svi
