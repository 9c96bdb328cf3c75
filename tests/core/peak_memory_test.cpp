#include "svi/core/peak_memory.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace svi {
namespace {

constexpr std::int64_t kBlock = 64 << 20;

/// Fills memory of that size, and gives it back.
void touch() {
  std::vector<char> block(kBlock, 1);
  volatile char last = block.back();
  static_cast<void>(last);
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
