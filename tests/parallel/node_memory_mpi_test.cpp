#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <optional>

#include "svi/core/check.hpp"
#include "svi/parallel/node_memory.hpp"

namespace svi {
namespace {

/// Where a tensor lies.
const void* place_of(const NodeTensor& kept) { return kept.tensor.const_data_ptr(); }

/// Sum over all ranks.
std::int64_t summed(const Communicator& group, std::int64_t number) {
  std::int64_t sum = 0;
  for (const auto& text : group.all_gather(std::to_string(number))) sum += std::stoll(text);
  return sum;
}

TEST(NodeMemory, ShowsTheFirstRanksValuesToAll) {
  const auto world = Communicator::world();
  NodeMemory memory(world.node());
  const auto own = at::full({3, 5}, 1.0 + world.rank(), at::kBFloat16);

  const auto kept = memory.keep({own, at::arange(7, at::kLong) + world.rank()});

  ASSERT_EQ(memory.ranks(), world.size());
  ASSERT_TRUE(kept[0].room && kept[1].room);
  EXPECT_TRUE(at::equal(kept[0].tensor, at::full({3, 5}, 1.0, at::kBFloat16)));
  EXPECT_TRUE(at::equal(kept[1].tensor, at::arange(7, at::kLong)));
}

TEST(NodeMemory, AllocatesOnce) {
  const auto world = Communicator::world();
  NodeMemory memory(world.node());
  std::vector<NodeTensor> kept;
  for (int i = 0; i < 10; ++i) {
    for (auto& tensor : memory.keep({at::full({1024}, i, at::kFloat)})) kept.push_back(tensor);
  }

  EXPECT_EQ(memory.bytes(), memory.first() ? 10 * 4096 : 0);
  EXPECT_EQ(summed(world, memory.bytes()), 10 * 4096);
  kept.clear();
  EXPECT_EQ(memory.bytes(), 0);
}

TEST(NodeMemory, HandsOutRoomsAgainAndJoinsNeighbours) {
  NodeMemory memory(Communicator::world().node());
  const auto small = at::ones({256}, at::kFloat);  // 1 KiB
  const auto first = memory.keep({small});
  std::optional<std::vector<NodeTensor>> second = memory.keep({small, small, small});
  const auto last = memory.keep({small});
  const auto* freed = place_of(second->at(0));
  second.reset();

  const auto wide = memory.keep({at::full({768}, 2.0, at::kFloat)});

  EXPECT_EQ(place_of(wide[0]), freed);
  EXPECT_TRUE(at::equal(wide[0].tensor, at::full({768}, 2.0, at::kFloat)));
  EXPECT_TRUE(at::equal(first[0].tensor, small));
  EXPECT_TRUE(at::equal(last[0].tensor, small));
}

TEST(NodeMemory, GrowsBeyondItsFirstWindow) {
  NodeMemory memory(Communicator::world().node());
  std::vector<NodeTensor> kept;
  for (int i = 0; i < 6; ++i)
    kept.push_back(memory.keep({at::full({std::int64_t{1} << 18}, i, at::kFloat)})[0]);  // 1 MiB
  kept.push_back(memory.keep({at::full({3 << 20}, 6, at::kFloat)})[0]);                  // 12 MiB

  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_TRUE(kept[i].room) << i;
    EXPECT_EQ(kept[i].tensor.min().item<float>(), static_cast<float>(i));
    EXPECT_EQ(kept[i].tensor.max().item<float>(), static_cast<float>(i));
  }
}

TEST(NodeMemory, StaysWhereOneRankStillLooksAtIt) {
  const auto world = Communicator::world();
  std::optional<NodeMemory> memory(std::in_place, world.node());
  auto kept = memory->keep({at::full({100}, 5.0)})[0];
  if (world.rank() > 0) kept = {};

  memory.reset();

  if (world.rank() == 0) {
    EXPECT_TRUE(at::equal(kept.tensor, at::full({100}, 5.0)));
  }
}

TEST(NodeMemory, NodesOfAGroupDoNotMeet) {
  const auto world = Communicator::world();
  const auto half = world.split(world.rank() % 2, world.rank());  // as if of two machines
  NodeMemory memory(half);

  const auto kept = memory.keep({at::full({4}, 10.0 + world.rank() % 2)});

  EXPECT_TRUE(at::equal(kept[0].tensor, at::full({4}, 10.0 + world.rank() % 2)));
  EXPECT_EQ(summed(world, memory.bytes()), world.size() > 1 ? 128 : 64);
}

}  // namespace
}  // namespace svi
