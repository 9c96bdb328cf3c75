#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "svi/core/check.hpp"
#include "svi/pretrained/memory_plan.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// A folder that looks like the kernel's files.
class AvailableMemory : public ::testing::Test {
 protected:
  AvailableMemory()
      : root_(fs::temp_directory_path() /
              ("svi_memory_" +
               std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(root_);
  }
  ~AvailableMemory() override { fs::remove_all(root_); }

  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }

  fs::path root_;
};

constexpr const char* kMeminfo = "MemTotal: 16000 kB\nMemFree: 1000 kB\nMemAvailable: 8000 kB\n";

TEST_F(AvailableMemory, IsWhatTheKernelCallsAvailable) {
  write("proc/meminfo", kMeminfo);

  EXPECT_EQ(available_memory(root_), 8000 * 1024);
}

TEST_F(AvailableMemory, IsTheLeastThatAnyGroupAroundLeaves) {
  write("proc/meminfo", kMeminfo);
  write("proc/self/cgroup", "0::/job/step\n");
  write("sys/fs/cgroup/job/memory.max", "3000000\n");
  write("sys/fs/cgroup/job/memory.current", "2500000\n");
  write("sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 200000\nactive_file 300000\n");
  write("sys/fs/cgroup/job/step/memory.max", "max\n");
  write("sys/fs/cgroup/job/step/memory.current", "1000\n");

  EXPECT_EQ(available_memory(root_), 3000000 - (2500000 - 500000));
}

TEST_F(AvailableMemory, ReadsTheFirstVersionOfControlGroupsToo) {
  write("proc/meminfo", kMeminfo);
  write("proc/self/cgroup", "7:cpu:/a\n5:memory,hugetlb:/a\n");
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "700000\n");
  write("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "600000\n");
  write("sys/fs/cgroup/memory/a/memory.stat", "total_inactive_file 50000\n");

  EXPECT_EQ(available_memory(root_), 150000);
}

TEST_F(AvailableMemory, OfAFullGroupIsNothingRatherThanNegative) {
  write("proc/meminfo", kMeminfo);
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "1000\n");
  write("sys/fs/cgroup/memory.current", "5000\n");

  EXPECT_EQ(available_memory(root_), 0);
}

TEST_F(AvailableMemory, ThrowsWhereTheKernelTellsNothing) {
  EXPECT_THROW(available_memory(root_), IoError);
}

TEST_F(AvailableMemory, IsPositiveHere) { EXPECT_GT(available_memory(), 0); }

}  // namespace
}  // namespace svi
