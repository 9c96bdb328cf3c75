#include "lock_holder.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <random>
#include <sstream>

#include "svi/core/check.hpp"
#include "svi/core/host.hpp"
#include "svi/core/printable.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHeading = "svi lock 1";
constexpr std::size_t kLargest = 4096;  // bytes that are read of a file that may be anything

std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::string machine_name() {
  std::error_code none;
  return first_line("/proc/sys/kernel/random/boot_id") + " " +
         fs::read_symlink("/proc/self/ns/pid", none).string();
}

/// State and start of a process; empty if it cannot be looked at.
struct ProcessFacts {
  std::string state, started;
};

ProcessFacts facts_of(std::int64_t pid) {
  const auto line = first_line(cat("/proc/", pid, "/stat"));
  const auto name_end = line.rfind(')');  // the name itself may hold anything
  if (name_end == std::string::npos) return {};
  std::istringstream rest(line.substr(name_end + 1));
  ProcessFacts facts;
  rest >> facts.state;
  constexpr int kStart = 22, kState = 3;  // fields, counted from 1: proc(5)
  for (int field = kState + 1; field <= kStart; ++field) rest >> facts.started;
  return facts;
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

std::optional<LockHolder> parse(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  std::map<std::string, std::string> values;
  while (std::getline(lines, line)) {
    const auto equals = line.find(" = ");
    if (equals != std::string::npos)
      values[line.substr(0, equals)] = printable(line.substr(equals + 3));
  }
  if (!values.contains("beat")) return std::nullopt;  // the last line
  LockHolder holder{values["program"], values["host"],    values["since"],   0,
                    values["machine"], values["started"], values["identity"]};
  std::istringstream(values["process"]) >> holder.pid;
  if (holder.identity.empty() || holder.pid <= 0) return std::nullopt;
  return holder;
}

double seconds_of(const struct stat& status) {
  return static_cast<double>(status.st_mtim.tv_sec) +
         1e-9 * static_cast<double>(status.st_mtim.tv_nsec);
}

}  // namespace

LockHolder LockHolder::self(const std::string& program) {
  std::random_device random;
  std::ostringstream identity;
  identity << std::hex;
  for (int i = 0; i < 4; ++i) identity << random();
  const auto pid = static_cast<std::int64_t>(getpid());
  return {program,        host_name(),           now_text(),    pid,
          machine_name(), facts_of(pid).started, identity.str()};
}

std::string lock_text(const LockHolder& holder, std::uint64_t beat) {
  char beats[32];
  std::snprintf(beats, sizeof beats, "%012llu", static_cast<unsigned long long>(beat));
  return cat(kHeading, "\nprogram = ", printable(holder.program), "\nhost = ", holder.host,
             "\nprocess = ", holder.pid, "\nsince = ", holder.since, "\nmachine = ", holder.machine,
             "\nstarted = ", holder.started, "\nidentity = ", holder.identity, "\nbeat = ", beats,
             "\n");
}

std::size_t beat_offset(const std::string& text) { return text.rfind("beat = "); }

std::optional<FoundLock> read_lock(const fs::path& path) {
  // Opening makes a network file system ask its server; not blocking, should it be a pipe.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT) return std::nullopt;
    raise<IoError>(path.string(), ": cannot be opened: ", std::strerror(errno));
  }
  struct stat status {};
  std::string text(kLargest, '\0');
  const bool known = ::fstat(descriptor, &status) == 0;
  const auto size = known && S_ISREG(status.st_mode)
                        ? ::pread(descriptor, text.data(), text.size(), 0)
                        : ssize_t{-1};
  ::close(descriptor);
  FoundLock found{FoundLock::Kind::foreign, {}, status.st_ino, seconds_of(status)};
  if (size < 0) return found;
  text.resize(static_cast<std::size_t>(size));
  const std::string heading(kHeading);
  if (text.compare(0, heading.size(), heading, 0, std::min(text.size(), heading.size())) != 0)
    return found;
  const auto holder = parse(text);
  found.kind = holder ? FoundLock::Kind::valid : FoundLock::Kind::unfinished;
  if (holder) found.holder = *holder;
  return found;
}

Life life_of(const LockHolder& holder) {
  if (holder.host != host_name() || holder.machine != machine_name()) return Life::unknown;
  if (::kill(static_cast<pid_t>(holder.pid), 0) != 0 && errno == ESRCH) return Life::dead;
  const auto facts = facts_of(holder.pid);
  if (facts.state.empty()) return Life::alive;  // hidden from us, but there
  const bool ended = facts.state == "Z" || facts.state == "X";
  return ended || facts.started != holder.started ? Life::dead : Life::alive;
}

double file_clock(const fs::path& folder, const std::string& what) {
  const auto probe = folder / cat(".svi-clock-", getpid(), "-", std::random_device()());
  const int descriptor = ::open(probe.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    raise<IoError>(what, ": nothing can be written into ", folder.string(), ": ",
                   std::strerror(errno));
  }
  struct stat status {};
  const bool known = ::fstat(descriptor, &status) == 0;
  ::close(descriptor);
  ::unlink(probe.c_str());
  return known ? seconds_of(status) : static_cast<double>(std::time(nullptr));
}

}  // namespace svi
