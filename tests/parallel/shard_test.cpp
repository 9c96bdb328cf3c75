#include "svi/parallel/shard.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/parallel/builtins.hpp"
#include "svi/parallel/mpi_collective.hpp"

namespace svi {
namespace {

TEST(SlotsOf, CoversEverySlotOnceInOrder) {
  for (const int size : {1, 2, 3, 4, 7}) {
    for (const std::int64_t slots : {0, 1, 2, 5, 8, 13}) {
      std::int64_t next = 0;
      for (int rank = 0; rank < size; ++rank) {
        const auto range = slots_of(rank, size, slots);
        EXPECT_EQ(range.first, next);
        EXPECT_LE(range.count, (slots + size - 1) / size);
        next += range.count;
      }
      EXPECT_EQ(next, slots);
    }
  }
}

TEST(TreeSum, AddsPairsThenPairsOfPairs) {
  // With 1 + eps/2 terms the order of additions shows in the result.
  const double tiny = 1e-16;
  const std::vector<double> numbers = {1.0, tiny, tiny, tiny, tiny, tiny, tiny};
  std::vector<at::Tensor> slots;
  for (const double number : numbers) slots.push_back(at::full({1}, number, at::kDouble));

  const auto sum = tree_sum(slots);

  const double expected = ((numbers[0] + numbers[1]) + (numbers[2] + numbers[3])) +
                          ((numbers[4] + numbers[5]) + numbers[6]);
  EXPECT_EQ(sum.item<double>(), expected);
  EXPECT_NE(std::accumulate(numbers.begin(), numbers.end(), 0.0), expected);
}

TEST(TreeSum, LeavesItsArgumentsAlone) {
  const auto one = at::ones({2});

  const auto sum = tree_sum({one});
  sum.add_(5);

  EXPECT_EQ(one[0].item<float>(), 1);
}

TEST(OrderedSum, NoticesAMissingSlot) {
  OrderedSum sum(3, Communicator::self());
  MpiCollective collective;
  collective.connect(Communicator::self());
  sum.add(at::ones({1}));

  EXPECT_THROW(sum.finish(collective), Error);
}

TEST(Communicator, OfThisProcessAloneNeedsNoMpi) {
  const auto self = Communicator::self();

  EXPECT_EQ(self.size(), 1);
  EXPECT_EQ(self.rank(), 0);
  EXPECT_EQ(self.broadcast("abc"), "abc");
  EXPECT_EQ(self.all_gather("x"), std::vector<std::string>{"x"});
  EXPECT_EQ(self.split(3, 1).size(), 1);
  self.barrier();
  EXPECT_THROW(Communicator::world(), Error);
}

TEST(MpiCollective, RefusesWorkBeforeItIsConnected) {
  MpiCollective collective;
  auto tensor = at::ones({1});

  EXPECT_THROW(collective.sum(tensor), Error);
}

TEST(Builtins, OfferMpiAsACollective) {
  Registry registry;
  Registrar registrar(registry, "built-in");

  register_parallel(registrar);

  EXPECT_EQ(registry.find("collective", "mpi").origin, "built-in");
}

}  // namespace
}  // namespace svi
