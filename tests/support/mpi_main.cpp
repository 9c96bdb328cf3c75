// main() of the tests that run under mpirun: every rank runs every test, and all fail if one does.

#include <gtest/gtest.h>

#include <iostream>

#include "svi/core/check.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/environment.hpp"

namespace {

/// Names the rank beside each failure: the lines of all ranks share one terminal.
class RankReporter : public testing::EmptyTestEventListener {
 public:
  explicit RankReporter(int rank) : rank_(rank) {}

 private:
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (result.failed()) {
      std::cerr << svi::cat("rank ", rank_, ": ",
                            result.file_name() == nullptr ? "" : result.file_name(), ":",
                            result.line_number(), "\n", result.summary(), "\n");
    }
  }
  void OnTestEnd(const testing::TestInfo& info) override {
    if (info.result()->Failed()) {
      std::cerr << svi::cat("rank ", rank_, " FAILED ", info.test_suite_name(), ".", info.name(),
                            "\n");
    }
  }

  int rank_;
};

}  // namespace

int main(int argc, char** argv) {
  const svi::Environment environment(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const auto world = svi::Communicator::world();
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (world.rank() != 0) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new RankReporter(world.rank()));

  const bool failed = RUN_ALL_TESTS() != 0;
  bool any = false;
  const auto all = world.all_gather(failed ? "1" : "0");
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank] != "1") continue;
    any = true;
    if (world.rank() == 0) std::cerr << "tests failed on rank " << rank << "\n";
  }
  return any ? 1 : 0;
}
