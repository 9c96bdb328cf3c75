#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "svi/parallel/job_queue.hpp"
#include "svi/parallel/stop.hpp"

namespace svi {
namespace {

/// The signal stays known to a process for good, so one test does it all.
TEST(StopRequest, SignalToOneRankStopsAllTeamsBetweenStepsAndWaitingRanksToo) {
  const auto world = Communicator::world();
  catch_stop_signals();
  const StopRequest stop(world);
  const ProgressOptions silent{.style = ProgressOptions::Style::silent};
  EXPECT_FALSE(stop.requested_by_any(world));
  EXPECT_TRUE(run_jobs(
      world, 1, {{.name = "a"}, {.name = "b"}}, [](auto, const auto&, auto&) {}, silent, &stop));
  EXPECT_EQ(stop_signal(), "");

  // Two long jobs at most; further ranks wait for work. The last rank gets the signal.
  const int ranks_per_job = world.size() > 2 ? 2 : 1;
  int steps = 0;
  bool saved = false, next_ran = false;
  const auto work = [&](std::size_t job, const Communicator& team, JobProgress& progress) {
    if (job == 1) next_ran = true;
    for (; job == 0; ++steps) {
      progress.update(steps, 1000000);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (!stop.requested_by_any(team)) continue;
      saved = true;
      throw JobStopped();
    }
  };
  std::thread sender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    if (world.rank() == world.size() - 1) kill(getpid(), SIGUSR1);
  });
  const bool done =
      run_jobs(world, ranks_per_job, {{.name = "long"}, {.name = "next", .after = {0}}}, work,
               silent, &stop);
  sender.join();

  EXPECT_FALSE(done);
  EXPECT_FALSE(next_ran) << "a job was begun after the stop";
  EXPECT_EQ(saved, steps > 0);
  EXPECT_EQ(stop_signal(), world.rank() == world.size() - 1 ? "SIGUSR1" : "");
  EXPECT_TRUE(stop.requested_by_any(world));
  int runners = 0;
  for (const auto& text : world.all_gather(saved ? "1" : "")) runners += text.empty() ? 0 : 1;
  EXPECT_EQ(runners, ranks_per_job);
}

TEST(StopRequest, StoppedQueueBeginsNothing) {
  const auto world = Communicator::world();
  const StopRequest stop(world);
  kill(getpid(), SIGTERM);
  bool ran = false;
  const ProgressOptions silent{.style = ProgressOptions::Style::silent};

  EXPECT_FALSE(run_jobs(
      world, 1, std::vector<JobSpec>(8, {.name = "job"}),
      [&](auto, const auto&, auto&) { ran = true; }, silent, &stop));
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace svi
