#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi {

/// A tensor on the CPU that ranks of one node may share. Copies share its room, which goes back to
/// the NodeMemory with the last of them.
struct NodeTensor {
  at::Tensor tensor;                 // contiguous; read only
  std::shared_ptr<const void> room;  // null: it is this rank's own, for want of room
};

/// Memory that the ranks of one node share, for tensors that would be the same on all of them.
///
/// The node's first rank writes, all read. Rooms are handed out in the order of calls, by each rank
/// for itself: all ranks must make the same calls of `keep`, and let go of the same NodeTensors
/// between two of them. A tensor that was let go of may be overwritten by the next `keep`.
class SVI_EXPORT NodeMemory {
 public:
  /// `node` holds ranks of one machine: Communicator::node(). Collective.
  explicit NodeMemory(const Communicator& node);
  NodeMemory(const NodeMemory&) = delete;
  NodeMemory& operator=(const NodeMemory&) = delete;
  /// Collective, unless an exception unwinds. Memory that some rank's tensors still show stays.
  ~NodeMemory();

  bool first() const;  // whether this rank is the node's first
  int ranks() const;   // of this memory

  /// The first rank's values, for all to read; sizes and dtypes are the same on all ranks. Where
  /// the machine has no room left, each rank keeps its own tensor, and a warning tells so once.
  /// Collective.
  std::vector<NodeTensor> keep(const std::vector<at::Tensor>& tensors);

  /// Bytes in use: on the first rank those that all share, 0 on the others.
  std::int64_t bytes() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace svi
