#pragma once

#include <cstddef>
#include <future>
#include <memory>

#include "model/wan/dit/dit_parts.hpp"

namespace svi::wan {

using BlockPointer = std::shared_ptr<const WanBlock>;

/// What whoever uses a block can multiply by.
enum class Takes {
  computed,  // weights in the dtype of the model's head
  stored,    // those and what `multiplies_stored` allows
};

/// Whether block `i` can be used as it is, on the device of the model's head.
bool is_ready(const WanDitParts& parts, std::size_t i, Takes takes = Takes::computed);

/// Block `i` as the model computes with it: itself where it is ready, else a copy whose linear
/// layers have been brought to the device and converted. Throws Error where weights have no values.
BlockPointer ready_block(const WanDitParts& parts, std::size_t i, Takes takes = Takes::computed);

/// The block where it is still there; else it is made ready (again). What a backward pass that
/// computes a block anew holds of it: a pointer that owned it would keep all copies alive.
BlockPointer held_or_ready(const std::weak_ptr<const WanBlock>& held, const WanDitParts& parts,
                           std::size_t i);

/// Blocks in their order, each made ready by a thread while the one before is in use; never more
/// than two copies exist. Exceptions of that thread come out of `next`.
///
/// Devices with streams: copies are made on a side stream and complete when they are handed out;
/// `next` waits until the device is done with the block before the last.
class BlockFeed {
 public:
  explicit BlockFeed(const WanDitParts& parts, Takes takes = Takes::computed);
  BlockFeed(const BlockFeed&) = delete;
  BlockFeed& operator=(const BlockFeed&) = delete;
  ~BlockFeed();

  /// The next block. The caller gives up the one before first.
  BlockPointer next();

 private:
  void prefetch();
  void retire();

  const WanDitParts& parts_;
  Takes takes_;
  std::size_t index_ = 0;  // of the block that `next` returns
  BlockPointer current_;   // outlives what the device still has to do with it
  std::future<BlockPointer> coming_;
};

}  // namespace svi::wan
