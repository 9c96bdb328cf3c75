#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/mpi_native.hpp"

namespace svi {
namespace {

TEST(Communicator, BroadcastsTheBytesOfAnyRoot) {
  const auto world = Communicator::world();
  const std::string text("a\0b", 3);
  for (int root = 0; root < world.size(); ++root) {
    EXPECT_EQ(world.broadcast(world.rank() == root ? text : "other", root), text);
  }
  EXPECT_EQ(world.broadcast(""), "");
}

TEST(Communicator, GathersBytesOfDifferentLengthsByRank) {
  const auto world = Communicator::world();

  const auto all = world.all_gather(std::string(static_cast<std::size_t>(world.rank()), 'x'));

  ASSERT_EQ(all.size(), static_cast<std::size_t>(world.size()));
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    EXPECT_EQ(all[rank], std::string(rank, 'x'));
}

TEST(Communicator, SplitsByColorAndOrdersByKey) {
  const auto world = Communicator::world();

  const auto part = world.split(world.rank() % 2, -world.rank());

  const auto ranks = part.all_gather(std::to_string(world.rank()));
  for (std::size_t i = 0; i + 1 < ranks.size(); ++i)
    EXPECT_GT(std::stoi(ranks[i]), std::stoi(ranks[i + 1]));
  for (const auto& rank : ranks) EXPECT_EQ(std::stoi(rank) % 2, world.rank() % 2);
}

TEST(Communicator, TurnsAnMpiFailureIntoAnErrorWithMpisText) {
  const int number = 0;
  try {
    mpi::check(MPI_Send(&number, 1, MPI_INT, 12345, 0, mpi::native(Communicator::world())),
               "MPI_Send");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("MPI_Send failed: MPI_ERR"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace svi
