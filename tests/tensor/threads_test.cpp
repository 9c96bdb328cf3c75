#include "svi/tensor/threads.hpp"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace svi {
namespace {

/// Lets LibTorch use so many threads while it lives.
class ThreadsForATest {
 public:
  explicit ThreadsForATest(int count) : before_(at::get_num_threads()) {
    at::set_num_threads(count);
  }
  ThreadsForATest(const ThreadsForATest&) = delete;
  ThreadsForATest& operator=(const ThreadsForATest&) = delete;
  ~ThreadsForATest() { at::set_num_threads(before_); }

 private:
  int before_;
};

/// The thread that ran each of `count` items.
std::vector<int> threads_of_items(std::int64_t count, std::int64_t grain) {
  std::vector<int> ran(static_cast<std::size_t>(count), -1);
  parallel_for(0, count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) ran[static_cast<std::size_t>(i)] = at::get_thread_num();
  });
  return ran;
}

TEST(ParallelFor, SharesItemsOutToTheThreadsThatLibTorchHas) {
#if !defined(__GNUC__) || defined(__clang__)
  GTEST_SKIP() << "built without OpenMP";
#endif
  const ThreadsForATest three(3);

  EXPECT_THAT(threads_of_items(7, 1), testing::ElementsAre(0, 0, 0, 1, 1, 1, 2));
  EXPECT_THAT(threads_of_items(7, 4), testing::ElementsAre(0, 0, 0, 0, 1, 1, 1));
}

TEST(ParallelFor, StaysOnTheCallersThreadWithinItself) {
  const ThreadsForATest two(2);
  std::vector<std::vector<int>> inner(2);
  parallel_for(0, 2, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) inner[static_cast<std::size_t>(i)] = threads_of_items(4, 1);
  });

  for (const auto& ran : inner) EXPECT_THAT(ran, testing::Each(ran.front()));
}

}  // namespace
}  // namespace svi
