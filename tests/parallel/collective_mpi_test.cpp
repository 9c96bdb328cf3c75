#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/parallel/mpi_collective.hpp"
#include "svi/parallel/shard.hpp"

namespace svi {
namespace {

/// Numbers of very different sizes, so that the order of additions shows in the last bits.
at::Tensor numbers_of(std::int64_t slot) {
  const auto index = at::arange(1000, at::kDouble) + static_cast<double>(1000 * slot);
  return (index.mul(12.9898).sin() * (index.mul(78.233).cos() * 8).exp()).to(at::kFloat);
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

class MpiCollectiveTest : public testing::Test {
 protected:
  MpiCollectiveTest() { collective_.connect(world_); }

  Communicator world_ = Communicator::world();
  MpiCollective collective_;
};

TEST_F(MpiCollectiveTest, SumsInTheOrderOfATreeOverRanks) {
  std::vector<at::Tensor> parts;
  for (int rank = 0; rank < world_.size(); ++rank) parts.push_back(numbers_of(rank));
  auto sum = numbers_of(world_.rank());

  collective_.sum(sum);

  EXPECT_TRUE(same_bits(sum, tree_sum(parts)));
}

TEST_F(MpiCollectiveTest, SumsThroughViewsAndOtherTypes) {
  auto base = at::zeros({4, 3}, at::kLong);
  auto column = base.select(1, 1);
  column.fill_(world_.rank() + 1);

  collective_.sum(column);

  const std::int64_t expected = world_.size() * (world_.size() + 1) / 2;
  EXPECT_TRUE(base.select(1, 1).eq(expected).all().item<bool>());
  EXPECT_TRUE(base.select(1, 0).eq(0).all().item<bool>());
  auto half = at::full({5}, 1.0, at::kBFloat16);
  collective_.sum(half);
  EXPECT_EQ(half[4].item<float>(), static_cast<float>(world_.size()));
}

TEST_F(MpiCollectiveTest, GathersByRank) {
  const auto all = collective_.all_gather(at::full({2}, world_.rank(), at::kInt));

  ASSERT_EQ(all.size(), static_cast<std::size_t>(world_.size()));
  for (int rank = 0; rank < world_.size(); ++rank) {
    EXPECT_TRUE(all[static_cast<std::size_t>(rank)].eq(rank).all().item<bool>());
  }
}

TEST_F(MpiCollectiveTest, BroadcastsTheLastRank) {
  auto tensor = at::full({3, 2}, world_.rank(), at::kDouble).t();

  collective_.broadcast(tensor, world_.size() - 1);

  EXPECT_TRUE(tensor.eq(world_.size() - 1).all().item<bool>());
  EXPECT_THROW(collective_.broadcast(tensor, world_.size()), Error);
}

TEST_F(MpiCollectiveTest, TakesEmptyTensors) {
  auto nothing = at::empty({0, 3});

  collective_.sum(nothing);

  EXPECT_EQ(collective_.all_gather(nothing).front().sizes(), nothing.sizes());
}

/// What rank `from` sends to rank `to`: another number of rows for each pair, none for some.
at::Tensor letter(int from, int to, at::ScalarType dtype) {
  const auto rows = (2 * from + 3 * to) % 5;
  return (at::arange(rows * 3, at::kFloat) + 100 * from + 10 * to).view({rows, 3}).to(dtype);
}

TEST_F(MpiCollectiveTest, ExchangesTensorsOfOtherSizesBetweenAllPairsOfRanks) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kLong}) {
    std::vector<at::Tensor> send, receive, expected;
    for (int rank = 0; rank < world_.size(); ++rank) {
      send.push_back(letter(world_.rank(), rank, dtype));
      expected.push_back(letter(rank, world_.rank(), dtype));
      receive.push_back(at::empty_like(expected.back()));
    }

    collective_.all_to_all(send, receive);

    for (std::size_t r = 0; r < receive.size(); ++r)
      EXPECT_TRUE(at::equal(receive[r], expected[r]));
  }
}

TEST_F(MpiCollectiveTest, ExchangesColumnsInPlace) {
  const auto ranks = static_cast<std::int64_t>(world_.size());
  const auto from = at::full({4, ranks}, world_.rank(), at::kFloat);
  const auto to = at::full({4, ranks}, -1, at::kFloat);
  auto receive = to.split(1, 1);

  collective_.all_to_all(from.split(1, 1), receive);

  EXPECT_TRUE(at::equal(to, at::arange(ranks, at::kFloat).expand({4, ranks})));
}

TEST_F(MpiCollectiveTest, SaysWhoSentLessThanExpected) {
  const auto ranks = static_cast<std::size_t>(world_.size());
  const auto own = static_cast<std::size_t>(world_.rank());
  std::vector<at::Tensor> send(ranks, at::ones({2})), receive;
  for (std::size_t r = 0; r < ranks; ++r) receive.push_back(at::empty({r == own ? 2 : 3}));

  if (ranks > 1) {
    EXPECT_THROW(collective_.all_to_all(send, receive), Error);
  }
  send[0] = at::ones({2}, at::kDouble);
  EXPECT_THROW(collective_.all_to_all(send, receive), Error);
  send.pop_back();
  EXPECT_THROW(collective_.all_to_all(send, receive), Error);
}

TEST_F(MpiCollectiveTest, SumsSlotsToTheSameBitsOnAnyNumberOfRanks) {
  for (const std::int64_t slots : {1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 16}) {
    std::vector<at::Tensor> all;
    for (std::int64_t slot = 0; slot < slots; ++slot) all.push_back(numbers_of(slot));
    const auto range = slots_of(world_.rank(), world_.size(), slots);
    const std::vector<at::Tensor> own(all.begin() + range.first,
                                      all.begin() + range.first + range.count);

    const auto sum = sum_over_slots(own, slots, collective_, world_);

    EXPECT_TRUE(same_bits(sum, tree_sum(all))) << slots << " slots";
  }
}

}  // namespace
}  // namespace svi
