#include "hdf5_detail.hpp"

#include <cstring>

#include "io/disk_room.hpp"
#include "svi/core/check.hpp"

namespace svi::hdf5 {

namespace {

struct Reason {
  std::string outer, inner;
  int code = 0;        // of the system call that failed, as the texts tell
  bool locks = false;  // it was one that locks
};

/// The number after "errno = " in one of the library's texts; 0: there is none.
int system_code(const char* text) {
  static constexpr char kMark[] = "errno = ";
  const char* found = std::strstr(text, kMark);
  return found == nullptr ? 0 : std::atoi(found + std::strlen(kMark));
}

herr_t collect(unsigned, const H5E_error2_t* error, void* data) {
  auto& reason = *static_cast<Reason*>(data);
  if (error->desc != nullptr) {
    if (reason.outer.empty()) reason.outer = error->desc;
    reason.inner = error->desc;
    reason.locks = reason.locks || std::strstr(error->desc, "lock file") != nullptr;
    if (reason.code == 0) reason.code = system_code(error->desc);
  }
  return 0;
}

}  // namespace

void start() {
  // A file that a full disk kept from closing makes the library's own clean-up at exit crash.
  static const herr_t no_cleanup = H5dont_atexit();
  (void)no_cleanup;
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void fail(const std::string& file, const std::string& what, std::int64_t needed) {
  Reason reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, &collect, &reason);
  H5Eclear2(H5E_DEFAULT);
  if (const auto full = no_room(file, reason.code, needed); !full.empty())
    raise<IoError>(file, ": ", what, ": ", full);
  std::string text = reason.outer;
  if (reason.inner != reason.outer)
    text += text.empty() ? reason.inner : cat(" (", reason.inner, ")");
  if (text.empty()) text = "HDF5 gives no reason";
  if (reason.locks) {
    text +=
        "; file locks fail on this file system: set HDF5_USE_FILE_LOCKING=FALSE, svi needs none";
  }
  raise<IoError>(file, ": ", what, ": ", text);
}

}  // namespace svi::hdf5
