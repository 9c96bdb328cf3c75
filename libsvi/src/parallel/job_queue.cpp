#include "svi/parallel/job_queue.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <iostream>
#include <mutex>
#include <thread>

#include "job_schedule.hpp"
#include "progress_printer.hpp"
#include "svi/core/check.hpp"
#include "svi/parallel/environment.hpp"
#include "svi/parallel/mpi_native.hpp"
#include "svi/parallel/program.hpp"

namespace svi {

namespace {

constexpr int kToScheduler = 1;
constexpr int kToLeader = 2;
constexpr std::int64_t kNoJob = -1, kStop = -2;

/// From a team's first rank to the scheduler: numbers, then the bytes of the note.
struct Message {
  enum Kind : std::int64_t { request, progress, stopped };
  std::int64_t kind, job, steps, total;
};

/// Waits without keeping a core busy: waiting ranks must not slow down working ones. A signal to a
/// rank that waits reaches the others, too.
void wait_gently(MPI_Request request, const StopRequest* stop) {
  auto pause = std::chrono::microseconds(50);
  for (int done = 0;;) {
    mpi::check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) return;
    if (stop != nullptr) stop->requested();
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(5000));
  }
}

/// The largest of the ranks' numbers, when all have come here.
int gentle_maximum(int number, const Communicator& group, const StopRequest* stop) {
  if (group.size() == 1) return number;
  int largest = 0;
  MPI_Request request = MPI_REQUEST_NULL;
  mpi::check(MPI_Iallreduce(&number, &largest, 1, MPI_INT, MPI_MAX, mpi::native(group), &request),
             "MPI_Iallreduce");
  wait_gently(request, stop);
  return largest;
}

std::int64_t gentle_broadcast(std::int64_t number, const Communicator& group,
                              const StopRequest* stop) {
  if (group.size() == 1) return number;
  MPI_Request request = MPI_REQUEST_NULL;
  mpi::check(MPI_Ibcast(&number, 1, MPI_INT64_T, 0, mpi::native(group), &request), "MPI_Ibcast");
  wait_gently(request, stop);
  return number;
}

[[noreturn]] void end_all(int rank, const std::string& where, const std::string& text, int code) {
  // One write, so that lines of several ranks do not mix.
  const auto line = cat("rank ", rank, ", ", where, ": ", text, "\n");
  std::cerr << line << std::flush;
  Environment::abort(code);
}

/// The queue on rank 0: a thread that serves the teams and shows the progress.
class Scheduler {
 public:
  Scheduler(const Communicator& group, int ranks_per_job, const std::vector<JobSpec>& jobs,
            const ProgressOptions& options, const StopRequest* stop)
      : group_(group),
        ranks_per_job_(ranks_per_job),
        teams_((group.size() + ranks_per_job - 1) / ranks_per_job),
        schedule_(jobs),
        printer_(options),
        observe_(options.observe),
        observe_seconds_(options.observe_seconds),
        stop_(stop),
        waiting_(static_cast<std::size_t>(teams_), false) {
    thread_ = std::thread([this] { serve(); });
  }
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  ~Scheduler() {
    given_up_ = true;
    if (thread_.joinable()) thread_.join();
  }

  /// Returns when every team has been told that no job is left.
  void wait_for_end() { thread_.join(); }

  /// The next job of rank 0's own team, which finished `finished`.
  std::int64_t request(std::int64_t finished) {
    std::unique_lock lock(mutex_);
    receive_request(0, finished);
    own_reply_.reset();
    changed_.wait(lock, [&] { return own_reply_.has_value(); });
    return *own_reply_;
  }

  void progress(std::int64_t job, std::int64_t steps, std::int64_t total, const std::string& note) {
    const std::lock_guard lock(mutex_);
    schedule_.progress(static_cast<std::size_t>(job), steps, total, note);
  }

  void stopped(std::int64_t job) {
    const std::lock_guard lock(mutex_);
    give_up(job);
  }

 private:
  void serve() {
    try {
      while (!given_up_) {
        const bool busy = teams_ > 1 && receive();
        bool ended = false;
        {
          const std::lock_guard lock(mutex_);
          stopping_ = stopping_ || (stop_ != nullptr && stop_->requested());
          for (int team = 0; team < teams_; ++team) reply(team);
          printer_.tick(schedule_);
          ended = told_ == teams_;
          if (ended) printer_.end(schedule_);
        }
        if (observe_) observe(ended);
        if (ended) return;
        if (!busy) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    } catch (const std::exception& error) {
      end_all(0, "job queue", error.what(), 1);
    }
  }

  /// Tells the observer when it is time, with the lock held for the copy alone.
  void observe(bool ended) {
    const double now = schedule_.seconds();
    if (now < next_observation_ && !ended) return;
    std::unique_lock lock(mutex_);
    auto status = schedule_.status(ranks_per_job_, group_.size());
    lock.unlock();
    status.ended = ended;
    const Stopwatch watch;
    observe_(status);
    next_observation_ = now + std::max(observe_seconds_, 20 * watch.seconds());
  }

  bool receive() {
    const auto comm = mpi::native(group_);
    int found = 0;
    MPI_Status status;
    mpi::check(MPI_Iprobe(MPI_ANY_SOURCE, kToScheduler, comm, &found, &status), "MPI_Iprobe");
    if (found == 0) return false;
    int size = 0;
    MPI_Get_count(&status, MPI_BYTE, &size);
    std::string bytes(static_cast<std::size_t>(size), '\0');
    mpi::check(MPI_Recv(bytes.data(), size, MPI_BYTE, status.MPI_SOURCE, kToScheduler, comm,
                        MPI_STATUS_IGNORE),
               "MPI_Recv");
    Message message;
    std::memcpy(&message, bytes.data(), sizeof message);
    const std::lock_guard lock(mutex_);
    if (message.kind == Message::request) {
      receive_request(status.MPI_SOURCE / ranks_per_job_, message.job);
    } else if (message.kind == Message::stopped) {
      give_up(message.job);
    } else {
      schedule_.progress(static_cast<std::size_t>(message.job), message.steps, message.total,
                         bytes.substr(sizeof message));
    }
    return true;
  }

  void give_up(std::int64_t job) {
    schedule_.give_up(static_cast<std::size_t>(job));
    stopping_ = true;
  }

  void receive_request(int team, std::int64_t finished) {
    waiting_[static_cast<std::size_t>(team)] = true;
    if (finished == kNoJob) return;
    schedule_.finish(static_cast<std::size_t>(finished));
    printer_.finished(schedule_, static_cast<std::size_t>(finished));
  }

  /// Answers a team that waits, if there is a job for it or there will never be one again.
  void reply(int team) {
    if (!waiting_[static_cast<std::size_t>(team)]) return;
    std::int64_t answer = kNoJob;
    if (stopping_ && !schedule_.all_done()) {
      answer = kStop;
      ++told_;
    } else if (const auto job = schedule_.start(team)) {
      answer = static_cast<std::int64_t>(*job);
      printer_.started(schedule_, *job, ranks_of(team));
    } else if (!schedule_.all_done()) {
      return;
    } else {
      ++told_;
    }
    waiting_[static_cast<std::size_t>(team)] = false;
    if (team == 0) {
      own_reply_ = answer;
      changed_.notify_all();
      return;
    }
    mpi::check(
        MPI_Send(&answer, 1, MPI_INT64_T, team * ranks_per_job_, kToLeader, mpi::native(group_)),
        "MPI_Send");
  }

  std::string ranks_of(int team) const {
    const int first = team * ranks_per_job_;
    const int last = std::min(first + ranks_per_job_, group_.size()) - 1;
    return first == last ? cat("rank ", first) : cat("ranks ", first, " to ", last);
  }

  Communicator group_;
  int ranks_per_job_;
  int teams_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  JobSchedule schedule_;
  ProgressPrinter printer_;
  std::function<void(const QueueStatus&)> observe_;  // this and the next two: the thread's own
  double observe_seconds_;
  double next_observation_ = 0;
  const StopRequest* stop_;
  std::vector<bool> waiting_;
  std::optional<std::int64_t> own_reply_;
  int told_ = 0;
  bool stopping_ = false;
  std::atomic<bool> given_up_ = false;
  std::thread thread_;
};

/// The side of a team's first rank; talks to the scheduler in this process or on rank 0.
class Leader {
 public:
  Leader(const Communicator& group, Scheduler* own, const StopRequest* stop)
      : group_(group), own_(own), stop_(stop) {}

  std::int64_t request(std::int64_t finished) {
    if (own_ != nullptr) return own_->request(finished);
    send({Message::request, finished, 0, 0}, {});
    std::int64_t job = kNoJob;
    MPI_Request request = MPI_REQUEST_NULL;
    mpi::check(MPI_Irecv(&job, 1, MPI_INT64_T, 0, kToLeader, mpi::native(group_), &request),
               "MPI_Irecv");
    wait_gently(request, stop_);
    return job;
  }

  void progress(std::int64_t job, std::int64_t steps, std::int64_t total, const std::string& note) {
    if (own_ != nullptr) return own_->progress(job, steps, total, note);
    send({Message::progress, job, steps, total}, note);
  }

  void stopped(std::int64_t job) {
    if (own_ != nullptr) return own_->stopped(job);
    send({Message::stopped, job, 0, 0}, {});
  }

 private:
  void send(const Message& message, const std::string& note) {
    const auto bytes =
        std::string(reinterpret_cast<const char*>(&message), sizeof message) + note.substr(0, 200);
    mpi::check(MPI_Send(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, 0, kToScheduler,
                        mpi::native(group_)),
               "MPI_Send");
  }

  Communicator group_;
  Scheduler* own_;
  const StopRequest* stop_;
};

/// Returns whether this rank's part of the job came to its end.
bool run_job(const Communicator& world, const std::string& where,
             const std::function<void()>& work) {
  try {
    work();
  } catch (const JobStopped&) {
    return false;
  } catch (const std::exception& error) {
    if (world.size() == 1) {
      std::cerr << where << " failed\n";
      throw;
    }
    end_all(world.rank(), where, text_of(error), exit_code_of(error));
  }
  return true;
}

}  // namespace

void JobProgress::update(std::int64_t done, std::int64_t total, const std::string& note) {
  if (!sink_) return;
  const double now =
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (now - last_ < 0.2 && done < total) return;
  last_ = now;
  sink_(done, total, note);
}

bool run_jobs(const Communicator& world, int ranks_per_job, const std::vector<JobSpec>& jobs,
              const JobWork& work, const ProgressOptions& options, const StopRequest* stop) {
  if (ranks_per_job < 1 || ranks_per_job > world.size()) {
    raise<ConfigError>("ranks_per_job = ", ranks_per_job, ", but there are ", world.size(),
                       " ranks: start with `mpirun -n ", std::max(ranks_per_job, 1),
                       "` or more, or lower it");
  }
  const JobSchedule check(jobs);  // a wrong list is an error on every rank
  const auto group = world.split(0, world.rank());
  const auto team = world.split(world.rank() / ranks_per_job, world.rank());
  std::unique_ptr<Scheduler> scheduler;
  if (world.rank() == 0)
    scheduler = std::make_unique<Scheduler>(group, ranks_per_job, jobs, options, stop);
  Leader leader(group, scheduler.get(), stop);
  const bool leads = team.rank() == 0;

  std::int64_t job = kNoJob;
  while ((job = gentle_broadcast(leads ? leader.request(job) : kNoJob, team, stop)) >= 0) {
    JobProgress progress(leads ? JobProgress::Sink([&](std::int64_t steps, std::int64_t total,
                                                       const std::string& note) {
      leader.progress(job, steps, total, note);
    })
                               : JobProgress::Sink());
    const auto index = static_cast<std::size_t>(job);
    const bool ended =
        run_job(world, "job " + jobs[index].name, [&] { work(index, team, progress); });
    // A job is done when its slowest rank is.
    if (gentle_maximum(ended ? 0 : 1, team, stop) == 0) continue;
    if (leads) leader.stopped(job);
    job = kNoJob;
  }
  if (scheduler) scheduler->wait_for_end();
  gentle_maximum(0, group, stop);
  return job != kStop;
}

}  // namespace svi
