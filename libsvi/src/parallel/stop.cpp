#include "svi/parallel/stop.hpp"

#include <signal.h>
#include <time.h>

#include <array>
#include <atomic>
#include <mutex>

#include "svi/parallel/mpi_native.hpp"

namespace svi {
namespace {

struct Caught {
  int number;
  const char* name;
  bool unless_ignored;  // whoever started us chose that this signal should not matter
};
// An interactive shell's Ctrl-C is ignored in jobs that a script puts into the background; svi
// listens all the same, so that a script can stop them.
constexpr std::array<Caught, 6> kCaught = {{{SIGTERM, "SIGTERM", false},
                                            {SIGINT, "SIGINT", false},
                                            {SIGXCPU, "SIGXCPU", false},
                                            {SIGUSR1, "SIGUSR1", true},
                                            {SIGUSR2, "SIGUSR2", true},
                                            {SIGHUP, "SIGHUP", true}}};

std::atomic<int> first_signal{0};
std::atomic<std::int64_t> first_second{0};
static_assert(std::atomic<int>::is_always_lock_free &&
                  std::atomic<std::int64_t>::is_always_lock_free,
              "a signal handler may use these alone");

extern "C" void on_stop_signal(int number) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  int none = 0;
  if (first_signal.compare_exchange_strong(none, number)) {
    first_second = now.tv_sec;
    return;
  }
  // Launchers repeat signals, and often at once; a person who insists takes a moment.
  if (number != SIGINT || now.tv_sec - first_second < 2) return;
  ::signal(number, SIG_DFL);
  ::raise(number);
}

}  // namespace

void catch_stop_signals() {
  ::signal(SIGPIPE, SIG_IGN);  // who reads along may leave; the work goes on
  for (const auto& caught : kCaught) {
    struct sigaction now {};
    ::sigaction(caught.number, nullptr, &now);
    if (caught.unless_ignored && now.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    ::sigaction(caught.number, &action, nullptr);
  }
}

std::string stop_signal() {
  const int number = first_signal;
  for (const auto& caught : kCaught) {
    if (caught.number == number) return caught.name;
  }
  return {};
}

struct StopRequest::Impl {
  explicit Impl(const Communicator& world) : group(world.split(0, world.rank())) {}

  bool ask() {
    const std::lock_guard lock(mutex);
    if (known) return true;
    if (first_signal != 0) {
      known = true;
      for (int rank = 0; rank < group.size(); ++rank) {
        if (rank != group.rank())
          mpi::check(MPI_Send(nullptr, 0, MPI_BYTE, rank, 0, mpi::native(group)), "MPI_Send");
      }
    } else if (group.size() > 1) {
      int found = 0;
      MPI_Status status;
      mpi::check(MPI_Iprobe(MPI_ANY_SOURCE, 0, mpi::native(group), &found, &status), "MPI_Iprobe");
      if (found != 0) {
        mpi::check(MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, 0, mpi::native(group),
                            MPI_STATUS_IGNORE),
                   "MPI_Recv");
        known = true;
      }
    }
    return known;
  }

  Communicator group;  // of its own: no other message comes between
  std::mutex mutex;
  bool known = false;
};

StopRequest::StopRequest(const Communicator& world) : impl_(std::make_shared<Impl>(world)) {}

bool StopRequest::requested() const { return impl_->ask(); }

bool StopRequest::requested_by_any(const Communicator& team) const {
  int any = impl_->ask() ? 1 : 0;
  if (team.size() > 1) {
    mpi::check(MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_MAX, mpi::native(team)),
               "MPI_Allreduce");
  }
  return any != 0;
}

}  // namespace svi
