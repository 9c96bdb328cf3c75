#include "svi/io/atomic_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "io/system_calls.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AtomicFileCalls : public ::testing::Test {
 protected:
  std::filesystem::path target() const { return folder_.path() / "a.txt"; }
  std::string folder_name() const { return folder_.path().filename().string(); }

  TemporaryFolder folder_;
};

TEST_F(AtomicFileCalls, SyncsBytesThenRenamesThenSyncsTheFolder) {
  AtomicFile file(target());
  const auto part = file.temporary().filename().string();
  file.write("abc", 3);

  const testing::SystemCalls calls;
  file.commit();

  EXPECT_THAT(calls.seen(),
              ElementsAre("fsync " + part, "rename " + part + " a.txt", "fsync " + folder_name()));
}

TEST_F(AtomicFileCalls, AFileWithoutAFolderInItsNameSyncsTheCurrentOne) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  testing::SystemCalls calls;
  write_file("a.txt", "abc");
  std::filesystem::current_path(before);

  ASSERT_EQ(calls.seen().size(), 3U);
  EXPECT_EQ(calls.seen()[2], "fsync " + folder_name());
}

TEST_F(AtomicFileCalls, WhatCannotBeSyncedDoesNotReplaceTheOldFile) {
  write_file(target(), "old");
  for (const int error : {EIO, ENOSPC, EDQUOT}) {
    testing::SystemCalls calls;
    calls.fail_next_fsync(error);
    std::string message;
    try {
      write_file(target(), "new bytes");
    } catch (const IoError& failure) {
      message = failure.what();
    }

    EXPECT_THAT(message, HasSubstr("a.txt: cannot be written"));
    EXPECT_EQ(message.find("free some space") == std::string::npos, error == EIO);
    ASSERT_EQ(calls.seen().size(), 2U);
    EXPECT_THAT(calls.seen()[0], HasSubstr("fsync .a.txt."));
    EXPECT_THAT(calls.seen()[1], HasSubstr("unlink .a.txt."));
    EXPECT_EQ(bytes_of_file(target()), "old");
    EXPECT_EQ(folder_.count(), 1);
  }
}

TEST_F(AtomicFileCalls, AFileSystemThatCannotSyncIsNoError) {
  for (const int error : {EINVAL, EROFS}) {
    testing::SystemCalls calls;
    calls.fail_next_fsync(error);

    write_file(target(), std::to_string(error));

    EXPECT_EQ(bytes_of_file(target()), std::to_string(error));
  }
}

TEST_F(AtomicFileCalls, NothingIsLeftOfAFileThatIsNotCommitted) {
  testing::SystemCalls calls;
  std::string part;
  {
    AtomicFile file(target());
    part = file.temporary().filename().string();
  }

  EXPECT_THAT(calls.seen(), ElementsAre("unlink " + part));
  EXPECT_EQ(folder_.count(), 0);
}

TEST_F(AtomicFileCalls, ACommittedFileTakesNoMore) {
  AtomicFile file(target());
  file.write("abc", 3);
  file.commit();

  for (const auto& attempt :
       std::vector<std::function<void()>>{[&] { file.write("d", 1); }, [&] { file.commit(); }}) {
    std::string message;
    try {
      attempt();
    } catch (const Error& failure) {
      message = failure.what();
    }
    EXPECT_THAT(message, HasSubstr("a.txt is already committed"));
  }
  EXPECT_EQ(bytes_of_file(target()), "abc");
}

TEST_F(AtomicFileCalls, AFullDiskIsAnErrorOfTheFile) {
  std::string message;
  {
    const FileSizeLimit limit(10);
    AtomicFile file(target());
    try {
      file.write("more than ten bytes", 19);
    } catch (const IoError& failure) {
      message = failure.what();
    }
  }

  EXPECT_THAT(message, HasSubstr("a.txt: cannot be written"));
  EXPECT_EQ(folder_.count(), 0);
}

TEST_F(AtomicFileCalls, KeepsNoDescriptorOpen) {
  const auto open_now = [] {
    const std::filesystem::directory_iterator descriptors("/proc/self/fd");
    return std::distance(begin(descriptors), end(descriptors));
  };
  const auto before = open_now();
  write_file(target(), "abc");
  { const AtomicFile dropped(target()); }

  EXPECT_EQ(open_now(), before);
}

TEST_F(AtomicFileCalls, LeavesPermissionsToTheUmask) {
  const auto before = ::umask(0);
  write_file(target(), "abc");
  ::umask(027);
  write_file(folder_.path() / "b.txt", "abc");
  ::umask(before);

  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(target()).permissions(), perms{0666});
  EXPECT_EQ(std::filesystem::status(folder_.path() / "b.txt").permissions(), perms{0640});
}

TEST_F(AtomicFileCalls, ShortAndInterruptedWritesLoseNothing) {
  const std::string bytes = "0123456789";
  testing::SystemCalls calls;
  calls.write_in_pieces(3);
  AtomicFile file(target());
  file.write(bytes.data(), bytes.size());
  file.write("x", 1);
  file.commit();

  EXPECT_EQ(bytes_of_file(target()), bytes + "x");
}

TEST_F(AtomicFileCalls, WorksWhereStandardInputIsClosed) {
  const int input = ::dup(0);
  ::close(0);
  testing::SystemCalls calls;
  {
    AtomicFile dropped(target());  // gets descriptor 0
    dropped.write("abc", 3);
  }
  const bool left = folder_.count() > 0;
  std::string message;
  try {
    write_file(target(), "abc");
  } catch (const Error& failure) {
    message = failure.what();
  }
  const bool given_back = ::fcntl(0, F_GETFD) < 0;
  ::dup2(input, 0);
  ::close(input);

  EXPECT_EQ(message, "");
  EXPECT_FALSE(left);
  EXPECT_TRUE(given_back);
  EXPECT_EQ(bytes_of_file(target()), "abc");
  ASSERT_EQ(calls.seen().size(), 4U);
  EXPECT_EQ(calls.seen().back(), "fsync " + folder_name());
}

TEST_F(AtomicFileCalls, TwoFilesOfOneNameDoNotShareTheirBytes) {
  AtomicFile first(target()), second(target());
  EXPECT_NE(first.temporary(), second.temporary());
  first.write("first", 5);
  second.write("second", 6);
  second.commit();
  first.commit();

  EXPECT_EQ(bytes_of_file(target()), "first");
}

TEST_F(AtomicFileCalls, AFolderOfThatNameIsNotReplaced) {
  std::filesystem::create_directories(target() / "inside");
  std::string message;
  try {
    write_file(target(), "abc");
  } catch (const IoError& failure) {
    message = failure.what();
  }

  EXPECT_THAT(message, HasSubstr("cannot be renamed"));
  EXPECT_EQ(folder_.count(), 1);
}

}  // namespace
}  // namespace svi
