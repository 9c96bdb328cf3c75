#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// How a RunLock shows that its holder is alive, and when others take it for dead.
struct RunLockOptions {
  double beat_seconds = 10;    // between signs of life
  double stale_seconds = 120;  // without one, a holder on another machine is taken for dead
  std::string remedy = {};     // what else a refused user can do, such as "name another --out"
  /// Called once, from the lock's thread, when another process has taken the lock although this one
  /// is alive. Whoever goes on working then spoils the other's files. Must not throw.
  std::function<void(const std::string& text)> lost = {};
};

/// The file that locks `folder`: beside it, `<folder>.lock`; inside, `<folder>/run.lock`, where
/// nothing can be created beside it. Links are followed, so that all names of a folder share one
/// lock. The folder need not exist.
SVI_EXPORT std::filesystem::path lock_file_of(const std::filesystem::path& folder);

/// Keeps other processes from working on the same results, on any host that sees the file.
///
/// The lock is a file with the holder's program, host and process; it needs no support for locks of
/// the file system: it is made by exclusive creation, kept alive by a thread that rewrites it, and
/// a stale one is replaced by renaming. See docs/running.md for the rules. Serial; one process
/// holds it for all ranks.
class SVI_EXPORT RunLock {
 public:
  /// Takes the lock. `file` is the lock's file; missing folders above it are made, and removed
  /// again in the end if nothing was put there. `what` names the results in messages; `program` is
  /// who works on them. Throws IoError that names the holder if there is one, and where the file
  /// cannot be made. A stale lock is taken over with a warning.
  RunLock(const std::filesystem::path& file, const std::string& what, const std::string& program,
          RunLockOptions options = {});
  RunLock(RunLock&&) noexcept;
  RunLock& operator=(RunLock&&) noexcept;
  /// Releases the lock: the file is gone.
  ~RunLock();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace svi
