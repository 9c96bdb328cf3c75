#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <thread>

#include "svi/core/check.hpp"
#include "svi/parallel/job_queue.hpp"

namespace svi {
namespace {

using Clock = std::chrono::steady_clock;

/// Runs jobs of a few milliseconds and tells, on every rank, where each ran and when it began and
/// ended.
class JobQueue : public testing::Test {
 protected:
  struct Run {
    int rank = 0, team_rank = 0, team_size = 0;
    std::int64_t begin = 0, end = 0;  // nanoseconds; the ranks of a test share one clock
  };

  std::multimap<std::size_t, Run> run(int ranks_per_job, const std::vector<JobSpec>& jobs) {
    std::ostringstream mine;
    run_jobs(world_, ranks_per_job, jobs,
             [&](std::size_t job, const Communicator& team, JobProgress& progress) {
               const auto begin = Clock::now().time_since_epoch().count();
               progress.update(1, 2, "half");
               std::this_thread::sleep_for(std::chrono::milliseconds(3));
               team.barrier();
               mine << job << ' ' << world_.rank() << ' ' << team.rank() << ' ' << team.size()
                    << ' ' << begin << ' ' << Clock::now().time_since_epoch().count() << '\n';
             },
             {.style = ProgressOptions::Style::silent});
    std::multimap<std::size_t, Run> all;
    for (const auto& text : world_.all_gather(mine.str())) {
      std::istringstream lines(text);
      std::size_t job = 0;
      Run one;
      while (lines >> job >> one.rank >> one.team_rank >> one.team_size >> one.begin >> one.end)
        all.emplace(job, one);
    }
    return all;
  }

  Communicator world_ = Communicator::world();
};

TEST_F(JobQueue, RunsEachJobOnceOnOneTeam) {
  for (const int ranks_per_job : {1, 2, 4}) {
    if (ranks_per_job > world_.size()) continue;
    const auto runs = run(ranks_per_job, std::vector<JobSpec>(13, {.name = "job"}));

    for (std::size_t job = 0; job < 13; ++job) {
      ASSERT_EQ(runs.count(job), static_cast<std::size_t>(ranks_per_job)) << "job " << job;
      const auto [first, last] = runs.equal_range(job);
      const int team = first->second.rank / ranks_per_job;
      for (auto it = first; it != last; ++it) {
        EXPECT_EQ(it->second.rank, team * ranks_per_job + it->second.team_rank);
        EXPECT_EQ(it->second.team_size, ranks_per_job);
      }
    }
  }
}

TEST_F(JobQueue, LetsTheLastTeamBeSmaller) {
  if (world_.size() < 4) GTEST_SKIP();
  const auto runs = run(3, std::vector<JobSpec>(6, {.name = "job"}));

  std::size_t ranks = 0;
  for (const auto& [job, one] : runs) {
    EXPECT_EQ(one.team_size, one.rank < 3 ? 3 : 1);
    ranks += 1;
  }
  EXPECT_GE(ranks, 6U);
}

TEST_F(JobQueue, StartsNoJobBeforeItsPredecessorsHaveEnded) {
  const std::vector<JobSpec> jobs = {{.name = "a"},
                                     {.name = "b"},
                                     {.name = "c", .after = {0, 1}},
                                     {.name = "d", .after = {2}},
                                     {.name = "e", .after = {2}},
                                     {.name = "f", .after = {3, 4}}};

  const auto runs = run(std::min(2, world_.size()), jobs);

  for (std::size_t job = 0; job < jobs.size(); ++job) {
    for (const auto before : jobs[job].after) {
      const auto [first, last] = runs.equal_range(job);
      const auto [first_before, last_before] = runs.equal_range(before);
      for (auto it = first; it != last; ++it) {
        for (auto done = first_before; done != last_before; ++done)
          EXPECT_GE(it->second.begin, done->second.end);
      }
    }
  }
}

TEST_F(JobQueue, KeepsAllTeamsAtWork) {
  // Each rank's first job ends when all ranks have one.
  int jobs = 0;
  run_jobs(world_, 1, std::vector<JobSpec>(40, {.name = "job"}),
           [&](std::size_t, const Communicator&, JobProgress&) {
             if (jobs++ == 0) world_.barrier();
           },
           {.style = ProgressOptions::Style::silent});

  EXPECT_GT(jobs, 0);
  int all = 0;
  for (const auto& text : world_.all_gather(std::to_string(jobs))) all += std::stoi(text);
  EXPECT_EQ(all, 40);
}

TEST_F(JobQueue, TakesAnEmptyListAndRefusesAWrongOneAlike) {
  EXPECT_TRUE(run(1, {}).empty());
  EXPECT_THROW(run(1, {{.name = "a", .after = {0}}}), Error);
  EXPECT_THROW(run(world_.size() + 1, {{.name = "a"}}), ConfigError);
}

}  // namespace
}  // namespace svi
