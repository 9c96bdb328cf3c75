#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "svi/parallel/collective.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// A run of slots (samples of a batch, entries of a bank) that one rank owns.
struct SlotRange {
  std::int64_t first = 0;  // from 0
  std::int64_t count = 0;  // of slots
};

/// The slots of `rank` among `size` ranks: contiguous, in order of rank, sizes differing by one at
/// most. Ranks beyond the number of slots own none.
SVI_EXPORT SlotRange slots_of(int rank, int size, std::int64_t slots);

/// The sum of equal-shaped tensors in a fixed order: slots 0+1, 2+3, ..., then 0+2, 4+6, ... and so
/// on. Returns a tensor of its own. Requires at least one.
SVI_EXPORT at::Tensor tree_sum(const std::vector<at::Tensor>& slots);

/// Sums a tensor over slots that are spread over ranks, with the same bits on any number of ranks.
///
/// Each rank adds its slots in order; at most log2(slots) partial sums are alive. What is added
/// where depends on slots alone, as in tree_sum: a rank adds up the complete subtrees of its range,
/// ranks exchange those.
class SVI_EXPORT OrderedSum {
 public:
  /// `slots` over all ranks of `group`, spread by slots_of.
  OrderedSum(std::int64_t slots, const Communicator& group);

  /// The next slot of this rank; keeps a copy only. All slots of all ranks have one shape and
  /// dtype.
  void add(const at::Tensor& tensor);
  /// The sum, on every rank. Collective; requires that every rank has added all of its slots.
  at::Tensor finish(Collective& collective);

 private:
  using Node = std::pair<std::int64_t, std::int64_t>;  // first slot, width (a power of two)

  at::Tensor value(const Node& node) const;
  at::Tensor gather(Collective& collective);

  std::int64_t slots_;
  std::int64_t root_width_ = 1;
  Communicator group_;
  SlotRange own_;
  std::int64_t added_ = 0;
  std::map<Node, at::Tensor> sums_;
};

/// OrderedSum of the tensors of this rank's slots, in order.
SVI_EXPORT at::Tensor sum_over_slots(const std::vector<at::Tensor>& local, std::int64_t slots,
                                     Collective& collective, const Communicator& group);

}  // namespace svi
