#include "svi/io/run_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "descriptor.hpp"
#include "lock_holder.hpp"
#include "paths.hpp"
#include "svi/core/check.hpp"
#include "svi/core/clock.hpp"
#include "svi/core/handle.hpp"
#include "svi/core/log.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

using LockFile = Handle<Descriptor>;

constexpr int kDeepestClaim = 3;  // a claim on a claim on a stale lock
constexpr int kLockTries = 100;
constexpr auto kLockPause = std::chrono::milliseconds(20);

/// Makes the file with the holder's text; nothing if there is one of that name.
LockFile create_lock(const fs::path& path, const std::string& text, const std::string& what) {
  LockFile file(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644));
  if (!file) {
    if (errno == EEXIST) return {};
    raise<IoError>(what, ": cannot be worked on: its lock ", path.string(),
                   " cannot be made: ", std::strerror(errno),
                   "; is the folder there, and may you write into it?");
  }
  const auto size = static_cast<ssize_t>(text.size());
  if (::pwrite(file.get(), text.data(), text.size(), 0) != size || ::fsync(file.get()) != 0) {
    const auto reason = std::strerror(errno);
    ::unlink(path.c_str());
    raise<IoError>(what, ": its lock ", path.string(), " cannot be written: ", reason);
  }
  return file;
}

/// A lock's file while this process holds it, without signs of life.
class Held {
 public:
  Held(fs::path path, const LockHolder& self, std::string what, const RunLockOptions& options,
       int depth = 0)
      : path_(std::move(path)), what_(std::move(what)), self_(self), text_(lock_text(self, 0)) {
    for (int attempt = 0; attempt < kLockTries; ++attempt) {
      if ((file_ = create_lock(path_, text_, what_))) return;
      const auto found = read_lock(path_);
      if (found && !refuse_if_alive(*found, options, attempt) &&
          take_over(*found, options, depth)) {
        return;
      }
      std::this_thread::sleep_for(kLockPause);
    }
    raise<IoError>(what_, ": several processes try to take its lock ", path_.string(),
                   " at once; try again");
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    try {
      const auto found = read_lock(path_);
      if (found && found->holder.identity == self_.identity) ::unlink(path_.c_str());
    } catch (const std::exception&) {
      // What cannot be read is not removed.
    }
  }

  /// Shows a sign of life. Returns who has taken the lock instead, if somebody has.
  std::optional<LockHolder> beat(std::uint64_t count) {
    const auto found = read_lock(path_);
    if (!found) {  // removed by hand
      if (auto file = create_lock(path_, text_, what_)) file_ = std::move(file);
      return std::nullopt;
    }
    if (found->holder.identity != self_.identity) return found->holder;
    const auto text = lock_text(self_, count);
    const auto offset = beat_offset(text);
    const auto size = text.size() - offset;
    if (::pwrite(file_.get(), text.data() + offset, size, static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(size))
      ::futimens(file_.get(), nullptr);  // a full disk that cannot even rewrite
    ::fsync(file_.get());
    return std::nullopt;
  }

  const std::string& what() const { return what_; }

 private:
  /// Throws if the holder is alive, or may be. False if the lock is stale.
  bool refuse_if_alive(const FoundLock& found, const RunLockOptions& options, int attempt) {
    reason_.clear();
    if (found.kind == FoundLock::Kind::foreign) {
      raise<IoError>(path_.string(), ": is in the way: the lock of ", what_,
                     " belongs there, and svi did not write this file; move it away");
    }
    const bool valid = found.kind == FoundLock::Kind::valid;
    const auto life = valid ? life_of(found.holder) : Life::unknown;
    if (life == Life::dead) {
      reason_ = "that process is dead";
      return false;
    }
    double quiet = 0;
    if (life == Life::unknown) {
      quiet = std::max(0.0, file_clock(folder_of(path_), what_) - found.modified);
      if (quiet > options.stale_seconds) {
        reason_ = "it has shown no sign of life for " + human_duration(quiet);
        return false;
      }
      if (!valid && attempt < kLockTries / 2) return false;  // being written just now: look again
    }
    const auto remedy = options.remedy.empty() ? "" : ", or " + options.remedy;
    if (life == Life::alive) {
      raise<IoError>(what_, ": ", name_of(found), " is working on it since ", found.holder.since,
                     "; wait for its end, stop it", remedy);
    }
    raise<IoError>(what_, ": ", name_of(found), " is working on it since ", found.holder.since,
                   ", with a sign of life ", human_duration(quiet),
                   " ago; wait for its end, stop it", remedy, ". Should it be dead, the lock ",
                   path_.string(), " is free in ",
                   human_duration(std::ceil(options.stale_seconds - quiet) + 1));
  }

  static std::string name_of(const FoundLock& found) {
    if (found.kind != FoundLock::Kind::valid) return "a process that has not told its name";
    return cat(found.holder.program, " (process ", found.holder.pid, " on ", found.holder.host,
               ")");
  }

  /// Replaces a stale lock. Of all who see it stale, one may: who holds the claim, a lock named
  /// after what it replaces. A lock that changed meanwhile is left alone.
  bool take_over(const FoundLock& stale, const RunLockOptions& options, int depth) {
    if (reason_.empty() || depth >= kDeepestClaim) return false;
    const auto key = stale.kind == FoundLock::Kind::valid ? stale.holder.identity.substr(0, 12)
                                                          : cat(stale.file);
    std::optional<Held> claim;
    try {
      claim.emplace(path_.string() + "." + key, self_, what_, options, depth + 1);
    } catch (const IoError&) {
      return false;  // another one is at it
    }
    const auto now = read_lock(path_);
    if (!now || !(*now == stale)) return false;
    const auto fresh = fs::path(path_.string() + "." + self_.identity.substr(0, 12) + ".new");
    ::unlink(fresh.c_str());
    auto file = create_lock(fresh, text_, what_);
    if (!file || ::rename(fresh.c_str(), path_.c_str()) != 0) {
      const auto problem = std::strerror(errno);
      ::unlink(fresh.c_str());
      raise<IoError>(what_, ": its stale lock ", path_.string(), " cannot be replaced: ", problem);
    }
    file_ = std::move(file);
    if (depth == 0) SVI_WARN("lock", what_, ": taking over from ", name_of(stale), ": ", reason_);
    return true;
  }

  fs::path path_;
  std::string what_;
  LockHolder self_;
  std::string text_;
  LockFile file_;
  std::string reason_;  // why the lock found is stale; empty: it is not
};

/// Makes the folders that are missing, and in the end removes those in which nothing was put.
class MadeFolders {
 public:
  MadeFolders(const fs::path& folder, const std::string& what) {
    std::error_code error;
    for (auto missing = folder; !missing.empty() && !fs::exists(missing, error);
         missing = missing.parent_path())
      made_.push_back(missing);
    fs::create_directories(folder, error);
    if (!error) return;
    remove();
    raise<IoError>(what, ": the folder ", folder.string(), " cannot be made: ", error.message());
  }
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;
  ~MadeFolders() { remove(); }

 private:
  void remove() const {
    std::error_code none;
    for (const auto& folder : made_) fs::remove(folder, none);  // fails where something is in it
  }

  std::vector<fs::path> made_;  // the deepest first
};

}  // namespace

fs::path lock_file_of(const fs::path& folder) {
  std::error_code none;
  auto real = fs::weakly_canonical(folder, none);
  if (none) real = fs::absolute(folder).lexically_normal();
  if (!real.has_filename()) real = real.parent_path();  // "results/smoke/"
  const auto above = folder_of(real);
  if (fs::is_directory(real, none) && ::access(above.c_str(), W_OK) != 0) return real / "run.lock";
  return real.string() + ".lock";
}

struct RunLock::Impl {
  Impl(const fs::path& file, const std::string& what, const std::string& program,
       RunLockOptions given)
      : options(std::move(given)),
        folders(folder_of(file), what),
        held(file, LockHolder::self(program), what, options) {
    thread = std::thread([this] { live(); });
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      ended = true;
    }
    changed.notify_all();
    thread.join();
  }

  void live() {
    const auto pause = std::chrono::duration<double>(options.beat_seconds);
    std::unique_lock lock(mutex);
    for (std::uint64_t count = 1; !changed.wait_for(lock, pause, [&] { return ended; }); ++count) {
      lock.unlock();
      std::optional<LockHolder> other;
      try {
        other = held.beat(count);
      } catch (const std::exception&) {
        // A file server that is away for a moment; the next beat tries again.
      }
      if (other) {
        if (options.lost) {
          options.lost(cat(held.what(), ": ", other->program, " (process ", other->pid, " on ",
                           other->host,
                           ") has taken the lock, as this process showed no sign of "
                           "life for too long"));
        }
        return;
      }
      lock.lock();
    }
  }

  RunLockOptions options;
  MadeFolders folders;  // before `held`, which is removed first
  Held held;
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  std::thread thread;
};

RunLock::RunLock(const fs::path& file, const std::string& what, const std::string& program,
                 RunLockOptions options)
    : impl_(std::make_unique<Impl>(file, what, program, std::move(options))) {}
RunLock::RunLock(RunLock&&) noexcept = default;
RunLock& RunLock::operator=(RunLock&&) noexcept = default;
RunLock::~RunLock() = default;

}  // namespace svi
