#include "svi/parallel/job_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <thread>

#include "svi/core/check.hpp"

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
  std::ostringstream out;
  const auto work = [](std::size_t, const Communicator&, JobProgress& progress) {
    for (int step = 0; step <= 4; ++step) {
      progress.update(step, 4, "loss 0.5");
      std::this_thread::sleep_for(std::chrono::milliseconds(15));
    }
  };

  run_jobs(Communicator::self(), 1, {{"erft-0"}, {"erft-1"}}, work,
           {.interval_seconds = 0.01, .out = &out});

  EXPECT_THAT(out.str(), HasSubstr("job erft-0 started on rank 0\n"));
  EXPECT_THAT(out.str(), HasSubstr("erft-0 4/4 loss 0.5"));
  EXPECT_THAT(out.str(), HasSubstr("job erft-1 finished in"));
  EXPECT_THAT(out.str(), HasSubstr("2/2 jobs done after"));
  EXPECT_EQ(out.str().find('\x1b'), std::string::npos);
}

TEST(RunJobs, DrawsABlockOnATerminal) {
  std::ostringstream out;
  const auto work = [](std::size_t, const Communicator&, JobProgress& progress) {
    progress.update(1, 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  };

  run_jobs(Communicator::self(), 1, {{"a"}, {"b"}}, work,
           {.style = ProgressOptions::Style::block, .interval_seconds = 0.01, .out = &out});

  EXPECT_THAT(out.str(), HasSubstr("\x1b[1A\x1b[2K"));
  EXPECT_THAT(out.str(), HasSubstr("  a 1/2"));
}

}  // namespace
}  // namespace svi
