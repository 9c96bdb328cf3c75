#include "io/system_calls.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace svi::testing {
namespace {

SystemCalls* recorder = nullptr;

std::string name_of(const char* path) { return std::filesystem::path(path).filename().string(); }

std::string name_of(int descriptor) {
  std::error_code error;
  const auto link = "/proc/self/fd/" + std::to_string(descriptor);
  return std::filesystem::read_symlink(link, error).filename().string();
}

}  // namespace

struct SystemCallHooks {
  static void note(const std::string& call) {
    if (recorder != nullptr) recorder->seen_.push_back(call);
  }
  /// An error to report instead of a sync, or 0.
  static int fsync_error() {
    return recorder == nullptr ? 0 : std::exchange(recorder->fsync_error_, 0);
  }
  /// How much of a write of `size` is done at once, or 0 where a signal interrupts it.
  static std::size_t piece_of(std::size_t size) {
    if (recorder == nullptr || recorder->piece_ == 0 || size == 0) return size;
    recorder->interrupted_ = !recorder->interrupted_;
    return recorder->interrupted_ ? 0 : std::min(size, recorder->piece_);
  }
};

SystemCalls::SystemCalls() { recorder = this; }
SystemCalls::~SystemCalls() { recorder = nullptr; }

}  // namespace svi::testing

// The program's own definitions come before those of the C library, for shared libraries too, if
// they can be seen.
using svi::testing::SystemCallHooks;
#define SVI_REPLACES extern "C" __attribute__((visibility("default")))

SVI_REPLACES int fsync(int descriptor) {
  SystemCallHooks::note("fsync " + svi::testing::name_of(descriptor));
  if (const int error = SystemCallHooks::fsync_error(); error != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

SVI_REPLACES ssize_t write(int descriptor, const void* data, size_t size) {
  const auto piece = SystemCallHooks::piece_of(size);
  if (piece == 0 && size > 0) {
    errno = EINTR;
    return -1;
  }
  return syscall(SYS_write, descriptor, data, piece);
}

SVI_REPLACES int rename(const char* from, const char* to) noexcept {
  SystemCallHooks::note("rename " + svi::testing::name_of(from) + " " + svi::testing::name_of(to));
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

SVI_REPLACES int unlink(const char* path) noexcept {
  SystemCallHooks::note("unlink " + svi::testing::name_of(path));
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

#undef SVI_REPLACES
