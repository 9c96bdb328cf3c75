#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

namespace svi {
namespace {

using testing::HasSubstr;

struct Ended {
  int code = -1;
  std::string output;
};

Ended run_failing(const std::string& how, int ranks) {
  const auto command = std::string("exec 2>&1; '" SVI_MPIEXEC "' --oversubscribe -n ") +
                       std::to_string(ranks) + " '" SVI_FAILING_JOB "' " + how;
  Ended ended;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return ended;
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) ended.output += buffer;
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  return ended;
}

TEST(FailingJob, EndsAllRanksWithTheCodeOfAUsersError) {
  const auto ended = run_failing("config", 3);

  EXPECT_EQ(ended.code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("rank 2, job bad: the key is wrong"));
  EXPECT_THAT(ended.output, HasSubstr("job good finished"));
}

TEST(FailingJob, EndsAllRanksWithOneForAnyOtherError) {
  const auto ended = run_failing("error", 2);

  EXPECT_EQ(ended.code, 1) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("rank 1, job bad: something broke"));
}

TEST(FailingJob, OfOneRankIsAnExceptionLikeAnyOther) {
  const auto ended = run_failing("config", 1);

  EXPECT_EQ(ended.code, 2) << ended.output;
  EXPECT_THAT(ended.output, HasSubstr("job bad failed\nthe key is wrong"));
}

TEST(KilledRank, EndsTheOthers) {  // CTest ends the test if they wait for ever
  const auto ended = run_failing("kill", 3);

  EXPECT_NE(ended.code, 0) << ended.output;
}

TEST(FailingJob, IsNotWhatHappensOtherwise) {
  const auto ended = run_failing("not", 2);

  EXPECT_EQ(ended.code, 0) << ended.output;
}

}  // namespace
}  // namespace svi
