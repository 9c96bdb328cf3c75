#include "svi/experiment/watch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "support/shared_text.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/core/clock.hpp"

namespace svi {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::string host() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

Json job(const std::string& name, const std::string& state) {
  const bool waits = state == "waiting";
  return {{"name", name},
          {"state", state},
          {"note", waits ? "" : "loss 0.25"},
          {"first_rank", waits ? Json() : Json(2)},
          {"last_rank", waits ? Json() : Json(3)},
          {"steps", waits ? 0 : 30},
          {"total", waits ? 0 : 40},
          {"started_seconds", waits ? Json() : Json(5)},
          {"ended_seconds", state == "done" ? Json(65) : Json()},
          {"remaining_seconds", state == "running" ? Json(20) : Json()}};
}

Json progress(const std::string& state) {
  return {
      {"format", 1},
      {"experiment", "study"},
      {"size", "full"},
      {"state", state},
      {"message", state == "failed" ? "the disk is full" : ""},
      {"host", host()},
      {"pid", getpid()},
      {"ranks", 4},
      {"heartbeat_unix", 1e9},
      {"pace_seconds", 0.01},
      {"seconds", 75},
      {"remaining_seconds", state == "running" ? Json(3600) : Json()},
      {"jobs",
       {job("pool-1", "done"), job("train-erft-s0", "running"), job("eval-erft-s0-0", "waiting")}}};
}

struct Watched {
  WatchEnd end;
  std::string text;
  double seconds;
};

constexpr double kNever = 1e6;  // seconds; longer than CTest lets a test run

Watched watch(const std::filesystem::path& folder, WatchOptions options = {},
              double silence_seconds = kNever) {
  SharedText out;
  if (options.out == nullptr) options.out = &out;
  options.poll_seconds = 0.005;
  options.silence_seconds = silence_seconds;
  const Stopwatch stopwatch;
  const auto end = watch_run(folder, options);
  return {end, out.str(), stopwatch.seconds()};
}

TEST(Watch, ShowsWhatRunsWhatWaitsAndWhatIsLeft) {
  const auto table = progress_table(progress("running").dump(), 100);

  EXPECT_THAT(table, HasSubstr("study at size full: running on 4 rank(s), 1/3 jobs done after "
                               "1 min 15 s"));
  EXPECT_THAT(table, HasSubstr("train-erft-s0 2-3    30/40 75 %"));
  EXPECT_THAT(table, HasSubstr("20 s"));
  EXPECT_THAT(table, HasSubstr("loss 0.25"));
  EXPECT_THAT(table, HasSubstr("waiting: 1; finished last: pool-1 (1 min 0 s)"));
  EXPECT_THAT(table, Not(HasSubstr("eval-erft")));
}

TEST(Watch, KeepsToTheWidthOfTheTerminal) {
  std::istringstream lines(progress_table(progress("running").dump(), 40));
  for (std::string line; std::getline(lines, line);) EXPECT_LT(line.size(), 40u) << line;
}

TEST(Watch, WaitsForARunThatHasNotBegunAndEndsWithIt) {
  const TemporaryFolder folder;
  const auto results = folder.path() / "study";
  SharedText out;
  std::thread runner([&] {
    out.wait_for("the run has not begun");
    std::filesystem::create_directories(results);
    for (const auto* state : {"running", "merging", "complete"}) {
      write_bytes(results / ".new", progress(state).dump());
      std::filesystem::rename(results / ".new", results / "progress.json");
      out.wait_for(cat("study at size full: ", state));
    }
  });
  const auto end = watch(results, {.out = &out}).end;
  runner.join();

  EXPECT_EQ(end, WatchEnd::complete);
  EXPECT_THAT(out.str(), HasSubstr("job train-erft-s0 runs on rank 2-3\n"));
  EXPECT_THAT(out.str(), HasSubstr("job pool-1 finished in 1 min 0 s, loss 0.25\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));
}

TEST(Watch, RedrawsOnATerminal) {
  const TemporaryFolder folder;
  write_bytes(folder / "progress.json", progress("failed").dump());

  const auto watched = watch(folder.path(), {.redraw = true});

  EXPECT_EQ(watched.end, WatchEnd::aborted);
  EXPECT_THAT(watched.text, HasSubstr("the disk is full"));
}

TEST(Watch, TellsARunWhoseProcessIsGone) {
  const TemporaryFolder folder;
  const auto child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  auto dead = progress("running");
  dead["pid"] = child;
  write_bytes(folder / "progress.json", dead.dump());

  const auto watched = watch(folder.path());  // its silence would never tell

  EXPECT_EQ(watched.end, WatchEnd::aborted);
  EXPECT_THAT(watched.text, HasSubstr("--resume"));
}

TEST(Watch, TellsARunOfAnotherHostByItsSilence) {
  const TemporaryFolder folder;
  auto silent = progress("running");
  silent["host"] = "elsewhere";
  silent["pid"] = 1;
  write_bytes(folder / "progress.json", silent.dump());

  const auto watched = watch(folder.path(), {}, 0.3);

  EXPECT_EQ(watched.end, WatchEnd::aborted);
  EXPECT_GE(watched.seconds, 0.3);
  EXPECT_THAT(watched.text, HasSubstr("process 1 on elsewhere has shown no sign of life"));
}

TEST(Watch, TakesResultsOfOldForComplete) {
  const TemporaryFolder folder;
  const auto results = folder.path() / "study";
  std::filesystem::create_directories(results);
  write_bytes(results / "study.h5", "");
  write_bytes(results / "summary.json", "{}");

  EXPECT_EQ(watch(results).end, WatchEnd::complete);
}

TEST(Watch, GivesUpWhenItsPatienceEnds) {
  const TemporaryFolder folder;

  EXPECT_EQ(watch(folder.path(), {.patience_seconds = 0.02}).end, WatchEnd::never_began);
}

TEST(Watch, RefusesWhatIsNoProgress) {
  EXPECT_THROW(progress_table("{", 80), IoError);
  EXPECT_THROW(progress_table("{\"format\": 1}", 80), IoError);
  EXPECT_THROW(progress_table("{\"format\": 2}", 80), IoError);
}

}  // namespace
}  // namespace svi
