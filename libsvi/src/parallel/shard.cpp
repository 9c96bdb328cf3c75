#include "svi/parallel/shard.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {

namespace {

/// The widths of the largest complete subtrees that tile a range, in order.
std::vector<std::pair<std::int64_t, std::int64_t>> subtrees_of(const SlotRange& range) {
  std::vector<std::pair<std::int64_t, std::int64_t>> nodes;
  const auto end = range.first + range.count;
  for (auto first = range.first; first < end;) {
    std::int64_t width = 1;
    while (first % (2 * width) == 0 && first + 2 * width <= end) width *= 2;
    nodes.emplace_back(first, width);
    first += width;
  }
  return nodes;
}

/// True if the tree over ranks is the upper part of the tree over slots.
bool ranks_are_subtrees(int size, std::int64_t slots) {
  const auto width = slots_of(0, size, slots).count;
  if (width == 0 || (width & (width - 1)) != 0) return false;
  for (int rank = 0; rank < size; ++rank) {
    const auto range = slots_of(rank, size, slots);
    if (range.first != rank * width || range.count == 0) return false;
  }
  return true;
}

/// Shape and dtype of rank 0's tensor, for ranks that own no slot. Collective.
at::Tensor like_first(const at::Tensor& tensor, const Communicator& group) {
  std::vector<std::int64_t> numbers;
  if (group.rank() == 0) {
    numbers = {static_cast<std::int64_t>(tensor.scalar_type())};
    numbers.insert(numbers.end(), tensor.sizes().begin(), tensor.sizes().end());
  }
  const std::string bytes(reinterpret_cast<const char*>(numbers.data()),
                          numbers.size() * sizeof(std::int64_t));
  const auto told = group.broadcast(bytes);
  numbers.resize(told.size() / sizeof(std::int64_t));
  std::copy(told.begin(), told.end(), reinterpret_cast<char*>(numbers.data()));
  if (tensor.defined()) return tensor;
  return at::zeros(at::IntArrayRef(numbers).slice(1), static_cast<at::ScalarType>(numbers[0]));
}

}  // namespace

SlotRange slots_of(int rank, int size, std::int64_t slots) {
  SVI_CHECK(size >= 1 && rank >= 0 && rank < size && slots >= 0, "rank ", rank, " of ", size, ", ",
            slots, " slots");
  const auto share = slots / size;
  const auto more = slots % size;
  return {rank * share + std::min<std::int64_t>(rank, more), share + (rank < more ? 1 : 0)};
}

at::Tensor tree_sum(const std::vector<at::Tensor>& slots) {
  OrderedSum sum(static_cast<std::int64_t>(slots.size()), Communicator::self());
  for (const auto& slot : slots) sum.add(slot);
  struct Nobody final : Collective {
    void connect(const Communicator&) override {}
    std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override { return {tensor}; }
    void broadcast(at::Tensor&, int) override {}
    void sum(at::Tensor&) override {}
    void all_to_all(const std::vector<at::Tensor>&, std::vector<at::Tensor>&) override {}
  } nobody;
  return sum.finish(nobody);
}

OrderedSum::OrderedSum(std::int64_t slots, const Communicator& group)
    : slots_(slots), group_(group), own_(slots_of(group.rank(), group.size(), slots)) {
  SVI_CHECK(slots >= 1, "a sum needs at least one slot, got ", slots);
  while (root_width_ < slots_) root_width_ *= 2;
}

void OrderedSum::add(const at::Tensor& tensor) {
  SVI_CHECK(added_ < own_.count, "rank ", group_.rank(), " owns ", own_.count,
            " slots and was given more");
  Node node{own_.first + added_++, 1};
  auto sum = tensor.detach().clone();
  // Like a carry in binary addition: a right half meets its left half and both become their parent.
  while (node.first % (2 * node.second) != 0) {
    const auto left = sums_.find({node.first - node.second, node.second});
    if (left == sums_.end()) break;
    sum = left->second.add_(sum);
    sums_.erase(left);
    node = {node.first - node.second, 2 * node.second};
  }
  sums_.emplace(node, std::move(sum));
}

at::Tensor OrderedSum::value(const Node& node) const {
  if (const auto found = sums_.find(node); found != sums_.end()) return found->second;
  if (node.first >= slots_) return {};
  const auto half = node.second / 2;
  SVI_CHECK(half > 0, "slot ", node.first, " was never added");
  const auto left = value({node.first, half});
  const auto right = value({node.first + half, half});
  return right.defined() ? left + right : left;
}

at::Tensor OrderedSum::gather(Collective& collective) {
  // Every rank knows which subtrees every other rank holds; short lists are padded to one length.
  std::vector<std::vector<Node>> nodes;
  std::size_t longest = 0;
  for (int rank = 0; rank < group_.size(); ++rank) {
    nodes.push_back(subtrees_of(slots_of(rank, group_.size(), slots_)));
    longest = std::max(longest, nodes.back().size());
  }
  auto like = sums_.empty() ? at::Tensor() : sums_.begin()->second;
  if (slots_ < group_.size()) like = like_first(like, group_);

  std::map<Node, at::Tensor> all;
  for (std::size_t i = 0; i < longest; ++i) {
    const auto& own = nodes[static_cast<std::size_t>(group_.rank())];
    const auto parts =
        collective.all_gather(i < own.size() ? sums_.at(own[i]) : at::zeros_like(like));
    for (std::size_t rank = 0; rank < nodes.size(); ++rank) {
      if (i < nodes[rank].size()) all[nodes[rank][i]] = parts[rank];
    }
  }
  sums_ = std::move(all);
  return value({0, root_width_});
}

at::Tensor OrderedSum::finish(Collective& collective) {
  SVI_CHECK(added_ == own_.count, "rank ", group_.rank(), " added ", added_, " of its ", own_.count,
            " slots");
  if (group_.size() == 1) return value({0, root_width_}).clone();
  if (!ranks_are_subtrees(group_.size(), slots_)) return gather(collective);
  const auto width = slots_of(0, group_.size(), slots_).count;
  auto sum = value({own_.first, width});
  collective.sum(sum);
  return sum;
}

at::Tensor sum_over_slots(const std::vector<at::Tensor>& local, std::int64_t slots,
                          Collective& collective, const Communicator& group) {
  OrderedSum sum(slots, group);
  for (const auto& tensor : local) sum.add(tensor);
  return sum.finish(collective);
}

}  // namespace svi
