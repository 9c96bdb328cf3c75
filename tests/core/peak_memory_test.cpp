#include "svi/core/peak_memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace svi {
namespace {

constexpr std::int64_t kBlock = 64 << 20;

/// Fills memory of that size, and gives it back to the system, whatever the allocator is.
void touch() {
  void* const block =
      mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(block, MAP_FAILED);
  std::memset(block, 1, kBlock);
  munmap(block, kBlock);
}

TEST(PeakMemory, SpeaksOfWhatComesAfterIt) {
  const PeakMemory first;
  const auto before = PeakMemory::bytes();
  if (before == 0) GTEST_SKIP() << "this kernel does not tell";
  touch();
  const auto high = PeakMemory::bytes();
  EXPECT_GE(high, before + kBlock * 3 / 4);
  const PeakMemory second;
  if (PeakMemory::bytes() == high) GTEST_SKIP() << "this kernel does not set the mark back";
  EXPECT_LT(PeakMemory::bytes(), high - kBlock / 4);
}

}  // namespace
}  // namespace svi
