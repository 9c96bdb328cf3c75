#include "svi/parallel/job_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "support/shared_text.hpp"
#include "svi/core/check.hpp"
#include "svi/core/clock.hpp"

namespace svi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ProgressOptions silent() { return {.style = ProgressOptions::Style::silent}; }

std::vector<std::size_t> order_of(const std::vector<JobSpec>& jobs) {
  std::vector<std::size_t> order;
  run_jobs(
      Communicator::self(), 1, jobs,
      [&](std::size_t job, const Communicator&, JobProgress&) { order.push_back(job); }, silent());
  return order;
}

TEST(RunJobs, WithoutMpiRunsEachJobOnce) {
  EXPECT_THAT(order_of({{"a"}, {"b"}, {"c"}}), ElementsAre(0, 1, 2));
}

TEST(RunJobs, WaitsForPredecessors) {
  EXPECT_THAT(order_of({{"last", {1, 2}}, {"middle", {2}}, {"first"}}), ElementsAre(2, 1, 0));
}

TEST(RunJobs, StartsTheCostliestChainFirst) {
  // Job 0 costs most by itself; job 1 begins a chain that costs more.
  EXPECT_THAT(order_of({{"alone", {}, 5}, {"head", {}, 1}, {"tail", {1}, 9}}),
              ElementsAre(1, 2, 0));
}

TEST(RunJobs, TakesAnEmptyList) { EXPECT_TRUE(order_of({}).empty()); }

TEST(RunJobs, RefusesCirclesAndUnknownPredecessors) {
  EXPECT_THROW(order_of({{"a", {1}}, {"b", {0}}}), Error);
  EXPECT_THROW(order_of({{"a", {7}}}), Error);
}

TEST(RunJobs, RefusesTeamsLargerThanTheWorld) {
  EXPECT_THROW(run_jobs(
                   Communicator::self(), 2, {{"a"}},
                   [](std::size_t, const Communicator&, JobProgress&) {}, silent()),
               ConfigError);
}

TEST(RunJobs, WritesLinesIntoAFile) {
  SharedText out;
  const auto work = [&](std::size_t job, const Communicator&, JobProgress& progress) {
    progress.update(0, 4, "loss 0.7");
    progress.update(4, 4, "loss 0.5");
    out.wait_for(cat("erft-", job, " 4/4 loss 0.5"));
  };

  run_jobs(Communicator::self(), 1, {{"erft-0"}, {"erft-1"}}, work,
           {.interval_seconds = 0.01, .out = &out});

  EXPECT_THAT(out.str(), HasSubstr("job erft-0 started on rank 0\n"));
  EXPECT_THAT(out.str(), HasSubstr("job erft-1 finished in"));
  EXPECT_THAT(out.str(), HasSubstr("2/2 jobs done after"));
  EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
}

TEST(RunJobs, DrawsABlockOnATerminal) {
  SharedText out;
  const auto work = [&](std::size_t job, const Communicator&, JobProgress& progress) {
    progress.update(1, 2);
    if (job == 0) out.wait_for("  a 1/2");
  };

  run_jobs(Communicator::self(), 1, {{"a"}, {"b"}}, work,
           {.style = ProgressOptions::Style::block, .interval_seconds = 0.01, .out = &out});

  EXPECT_THAT(out.str(), HasSubstr("\x1b[1A\x1b[2K"));
}

TEST(RunJobs, TellsAnObserverFromTheBeginningToTheEnd) {
  using State = JobStatus::State;
  std::mutex mutex;
  std::vector<QueueStatus> seen;
  const auto shown = [&](std::size_t job, std::int64_t total) {
    const std::lock_guard lock(mutex);
    return std::any_of(seen.begin(), seen.end(), [&](const QueueStatus& status) {
      return status.jobs[job].state == State::running && status.jobs[job].total == total;
    });
  };
  const auto work = [&](std::size_t job, const Communicator&, JobProgress& progress) {
    progress.update(1, 4, job == 0 ? "loss 0.5" : "");
    wait_until([&] { return shown(job, 4); });
    if (job == 1) progress.update(4, 4, "loss 0.25");
  };
  auto options = silent();
  options.observe_seconds = 0.01;
  options.observe = [&](const QueueStatus& status) {
    const std::lock_guard lock(mutex);
    seen.push_back(status);
  };

  run_jobs(Communicator::self(), 1, {{"a"}, {"b", {0}}}, work, options);

  for (std::size_t i = 0; i + 1 < seen.size(); ++i) EXPECT_FALSE(seen[i].ended);
  const auto middle = std::find_if(seen.begin(), seen.end(), [](const QueueStatus& status) {
    return status.jobs[0].state == State::running && status.jobs[0].total == 4;
  });
  ASSERT_NE(middle, seen.end());
  EXPECT_EQ(middle->jobs[0].first_rank, 0);
  EXPECT_EQ(middle->jobs[0].note, "loss 0.5");
  EXPECT_EQ(middle->jobs[1].state, State::waiting);
  EXPECT_EQ(middle->jobs[1].started, -1);
  const auto& last = seen.back();
  EXPECT_TRUE(last.ended);
  EXPECT_EQ(last.remaining_seconds, 0);
  EXPECT_EQ(last.jobs[1].state, State::done);
  EXPECT_EQ(last.jobs[1].steps, 4);
  EXPECT_GE(last.jobs[1].started, last.jobs[0].ended);
}

TEST(RunJobs, AsksASlowObserverLessOften) {
  std::atomic<int> calls = 0;
  auto options = silent();
  options.observe_seconds = 0.001;
  options.observe = [&](const QueueStatus&) {
    ++calls;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  };
  const Stopwatch watch;
  const auto work = [&](std::size_t, const Communicator&, JobProgress&) {
    wait_until([&] { return calls >= 3; });
  };

  run_jobs(Communicator::self(), 1, {{"a"}}, work, options);

  // Twenty times as long as the observer takes lies between two calls, but for the one at the end.
  EXPECT_GE(watch.seconds(), 0.2 * (calls - 2));
}

}  // namespace
}  // namespace svi
