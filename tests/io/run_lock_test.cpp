#include "svi/io/run_lock.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"

namespace {

namespace fs = std::filesystem;
using svi::RunLock;
using svi::RunLockOptions;
using testing::AllOf;
using testing::HasSubstr;

void make_old(const fs::path& path, double seconds) {
  timespec times[2];
  clock_gettime(CLOCK_REALTIME, &times[0]);
  times[0].tv_sec -= static_cast<std::time_t>(seconds);
  times[1] = times[0];
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

/// The line `key = ...` of a lock's text with another value.
std::string with(std::string text, const std::string& key, const std::string& value) {
  const auto begin = text.find("\n" + key + " = ") + 1;
  const auto end = text.find('\n', begin);
  return text.replace(begin, end - begin, key + " = " + value);
}

class RunLockTest : public testing::Test {
 protected:
  RunLockTest() : file(folder / "study.lock") {}

  std::string refusal(const RunLockOptions& options = {}) const {
    try {
      const RunLock lock(file, "study", "svi-experiment", options);
    } catch (const svi::IoError& error) {
      return error.what();
    }
    return "taken";
  }

  /// What a lock held by this process looks like, after it was released.
  std::string text_of_a_lock() const {
    const RunLock lock(file, "study", "svi-experiment");
    return svi::bytes_of_file(file);
  }

  /// Runs `work` in a process of its own.
  template <class Work>
  static pid_t start(const Work& work) {
    const pid_t child = fork();
    if (child == 0) {
      work();
      _exit(0);
    }
    return child;
  }

  svi::TemporaryFolder folder_owner;
  fs::path folder = folder_owner.path();
  fs::path file;
};

TEST_F(RunLockTest, SecondTakerIsToldHostProcessAndSinceWhen) {
  const RunLock lock(file, "study", "svi-experiment");
  char host[256] = {};
  gethostname(host, sizeof host - 1);

  EXPECT_THAT(refusal({.remedy = "name another study"}),
              AllOf(HasSubstr("study: svi-experiment (process " + std::to_string(getpid()) +
                              " on " + host + ") is working on it since 2"),
                    HasSubstr("UTC"), HasSubstr("or name another study")));
  EXPECT_TRUE(fs::exists(file));
}

TEST_F(RunLockTest, ReleasedLockIsGoneAndFree) {
  { const RunLock lock(file, "study", "svi-experiment"); }

  EXPECT_TRUE(fs::is_empty(folder));
  EXPECT_EQ(refusal(), "taken");
}

TEST_F(RunLockTest, LockOfADeadProcessOfThisHostIsTakenOverAtOnce) {
  const auto child = start([&] {
    const RunLock lock(file, "study", "svi-experiment");
    _exit(0);  // as if killed: nothing is released
  });
  waitpid(child, nullptr, 0);
  ASSERT_TRUE(fs::exists(file));

  EXPECT_EQ(refusal(), "taken");
  EXPECT_TRUE(fs::is_empty(folder)) << "something of the take-over stays";
}

TEST_F(RunLockTest, ZombieCountsAsDead) {
  const auto child = start([&] {
    const RunLock lock(file, "study", "svi-experiment");
    _exit(0);
  });
  siginfo_t info;
  waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);  // not buried yet

  EXPECT_EQ(refusal(), "taken");
  waitpid(child, nullptr, 0);
}

TEST_F(RunLockTest, AnotherProcessUnderTheSameNumberIsNotTheHolder) {
  svi::write_bytes(file, with(text_of_a_lock(), "started", "12345"));

  EXPECT_EQ(refusal(), "taken");
}

TEST_F(RunLockTest, HolderOnAnotherHostIsBelievedUntilItsHeartbeatIsOld) {
  svi::write_bytes(file, with(text_of_a_lock(), "host", "node7"));

  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("on node7"), HasSubstr("sign of life"), HasSubstr("is free in")));
  make_old(file, 100);
  EXPECT_THAT(refusal(), HasSubstr("on node7"));
  make_old(file, 130);
  EXPECT_EQ(refusal(), "taken");
}

TEST_F(RunLockTest, SameHostNameOfAnotherMachineIsAnotherHost) {
  svi::write_bytes(file,
                   with(with(text_of_a_lock(), "machine", "other boot"), "process", "99999999"));

  EXPECT_THAT(refusal(), HasSubstr("sign of life"));
}

TEST_F(RunLockTest, HeartbeatKeepsALockYoung) {
  const RunLock lock(file, "study", "svi-experiment", {.beat_seconds = 0.01});
  make_old(file, 1000);
  const auto before = svi::bytes_of_file(file);
  struct stat status {};
  const auto old = [&] {
    return stat(file.c_str(), &status) != 0 || status.st_mtime < std::time(nullptr) - 500;
  };
  for (int i = 0; i < 3000 && old(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));

  EXPECT_FALSE(old());
  EXPECT_EQ(svi::bytes_of_file(file).size(), before.size());
  EXPECT_THAT(refusal(), HasSubstr("is working on it"));
}

TEST_F(RunLockTest, ForeignFileIsNeitherTouchedNorTaken) {
  svi::write_bytes(file, "my notes");
  make_old(file, 1e6);

  EXPECT_THAT(refusal(), HasSubstr("in the way"));
  EXPECT_EQ(svi::bytes_of_file(file), "my notes");
}

TEST_F(RunLockTest, UnfinishedLockIsTakenOnceItIsOld) {
  for (const std::string text :
       {"", "svi lo", "svi lock 1\nprogram = svi-experiment\nhost = x\n"}) {
    svi::write_bytes(file, text);
    EXPECT_THAT(refusal(), HasSubstr("has not told its name")) << text;
    make_old(file, 1000);
    EXPECT_EQ(refusal(), "taken") << text;
  }
}

TEST_F(RunLockTest, WhoeverLosesItsLockIsTold) {
  std::atomic<bool> told{false};
  const RunLock lock(file, "study", "svi-experiment",
                     {.beat_seconds = 0.01, .lost = [&](const std::string& text) {
                        EXPECT_THAT(text, HasSubstr("has taken the lock"));
                        told = true;
                      }});
  const auto other = folder / "other";
  svi::write_bytes(other, with(svi::bytes_of_file(file), "identity", "0123"));
  fs::rename(other, file);
  for (int i = 0; i < 3000 && !told; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));

  EXPECT_TRUE(told);
  EXPECT_TRUE(fs::exists(file));
}

TEST_F(RunLockTest, RemovedByHandItComesBack) {
  const RunLock lock(file, "study", "svi-experiment", {.beat_seconds = 0.01});
  fs::remove(file);
  for (int i = 0; i < 3000 && !fs::exists(file); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));

  EXPECT_TRUE(fs::exists(file));
}

TEST_F(RunLockTest, NeverTwoHoldersAmongManyStartersSomeOfWhichDie) {
  const auto inside = folder / "inside", broken = folder / "broken";
  constexpr int kProcesses = 8, kRounds = 6;
  std::vector<pid_t> children;
  for (int c = 0; c < kProcesses; ++c) {
    children.push_back(start([&, c] {
      for (int round = 0; round < kRounds;) {
        try {
          const RunLock lock(file, "study", "svi-experiment");
          const int alone = open(inside.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
          if (alone < 0) svi::write_bytes(broken, "two at once");
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          unlink(inside.c_str());
          close(alone);
          if (round == kRounds / 2 && c % 2 == 0) _exit(0);  // dies with the lock
          ++round;
        } catch (const svi::IoError&) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      }
    }));
  }
  for (const auto child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }

  EXPECT_FALSE(fs::exists(broken));
  EXPECT_EQ(refusal(), "taken");
  EXPECT_TRUE(fs::is_empty(folder)) << "something of the take-overs stays";
}

TEST_F(RunLockTest, AllNamesOfAFolderShareOneLock) {
  fs::create_directory(folder / "study");
  fs::create_directory_symlink(folder / "study", folder / "link");
  const auto expected = svi::lock_file_of(folder / "study");

  EXPECT_EQ(expected.filename(), "study.lock");
  EXPECT_EQ(svi::lock_file_of(folder / "link"), expected);
  EXPECT_EQ(svi::lock_file_of(folder / "study" / ""), expected);
  EXPECT_EQ(svi::lock_file_of(folder / "link" / ".." / "study"), expected);
}

TEST_F(RunLockTest, FoldersMadeForALockAreRemovedIfNothingWasPutThere) {
  const auto deep = folder / "a" / "b";
  { const RunLock lock(deep / "x.lock", "x", "svi-generate"); }
  EXPECT_FALSE(fs::exists(folder / "a"));

  {
    const RunLock lock(deep / "x.lock", "x", "svi-generate");
    svi::write_bytes(deep / "result", "1");
  }
  EXPECT_TRUE(fs::exists(deep / "result"));
}

TEST_F(RunLockTest, FolderThatIsAFileIsNamed) {
  svi::write_bytes(folder / "a", "");
  try {
    const RunLock lock(folder / "a" / "x.lock", "x", "svi-generate");
    FAIL();
  } catch (const svi::IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr((folder / "a").string()));
  }
}

}  // namespace
