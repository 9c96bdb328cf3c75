#pragma once

// Who holds a lock, as its file tells; private to io/.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace svi {

/// The process that holds a lock. A process number alone says little: it is used again, and counts
/// in one container only.
struct LockHolder {
  std::string program, host, since;
  std::int64_t pid = 0;
  std::string machine;   // this boot of it, and the container: where `pid` means something
  std::string started;   // the process's own start, in ticks since boot
  std::string identity;  // random: no two holders have the same

  /// This process, now.
  static LockHolder self(const std::string& program);
};

/// The text of a lock file; `beat` counts signs of life and has a fixed width, so that it can be
/// rewritten in place.
std::string lock_text(const LockHolder& holder, std::uint64_t beat);
/// Where the last line, that of the beat, begins in that text.
std::size_t beat_offset(const std::string& text);

/// What was found under a lock's name.
struct FoundLock {
  enum class Kind { valid, unfinished, foreign };
  Kind kind = Kind::unfinished;  // unfinished: empty or cut, as when its maker died at once
  LockHolder holder = {};        // of a valid one
  ino_t file = 0;
  double modified = 0;  // seconds, by the clock of the file system

  bool operator==(const FoundLock& other) const {
    return kind == other.kind && file == other.file && holder.identity == other.holder.identity;
  }
};

/// Empty if there is no such file. Throws IoError if it cannot be read.
std::optional<FoundLock> read_lock(const std::filesystem::path& path);

enum class Life { alive, dead, unknown };  // unknown: on another machine
/// What this machine can tell of the process.
Life life_of(const LockHolder& holder);

/// The time by the clock that stamps files in `folder`, which may be that of a file server.
/// Throws IoError if no file can be made there.
double file_clock(const std::filesystem::path& folder, const std::string& what);

}  // namespace svi
