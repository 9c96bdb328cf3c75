#include "model/wan/dit/block_feed.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "model/wan/dit/quantised.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/dense.hpp"

namespace svi::wan {
namespace {

bool fits(const WanLinear& layer, const at::Tensor& head, Takes takes) {
  if (takes == Takes::stored && head.is_cpu() && multiplies_stored(layer.weight)) return true;
  return !layer.scale.defined() && layer.weight.device() == head.device() &&
         layer.weight.scalar_type() == head.scalar_type();
}

// Stored bytes travel, conversion is the device's work. Copies out of pageable memory would make
// the host wait for the device, hence the pinned buffer.
at::Tensor brought(const at::Tensor& tensor, const at::Device& device) {
  if (tensor.device() == device) return tensor;
  return tensor.is_cpu() ? tensor.pin_memory().to(device, /*non_blocking=*/true)
                         : tensor.to(device);
}

// Tells the kernel what will become of the pages under a block's layers. Only advice: a failure
// costs speed alone.
void advise(const WanBlock& block, const WanDitConfig& config, int advice) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  visit_linears(block, config, "", [&](const std::string&, const WanLinear& layer) {
    if (!layer.weight.is_cpu() || !layer.weight.is_contiguous()) return;
    const auto begin = reinterpret_cast<std::uintptr_t>(layer.weight.const_data_ptr());
    const auto first = (begin + page - 1) / page * page;  // whole pages: others share the rest
    const auto last = (begin + layer.weight.nbytes()) / page * page;
    if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, advice);
  });
}

bool has_streams(const at::Tensor& head) { return !head.is_cpu() && !head.is_meta(); }

}  // namespace

bool is_ready(const WanDitParts& parts, std::size_t i, Takes takes) {
  bool ready = true;
  visit_linears(parts.blocks[i], parts.config, "", [&](const std::string&, const WanLinear& layer) {
    ready &= fits(layer, parts.head.weight, takes);
  });
  return ready;
}

BlockPointer ready_block(const WanDitParts& parts, std::size_t i, Takes takes) {
  if (is_ready(parts, i, takes)) return {BlockPointer(), &parts.blocks[i]};  // not owned
  const at::NoGradGuard no_grad;
  const auto& head = parts.head.weight;
  auto block = std::make_shared<WanBlock>(parts.blocks[i]);
  visit_linears(
      *block, parts.config, cat("blocks.", i, "."), [&](const std::string& name, WanLinear& layer) {
        if (fits(layer, head, takes)) return;
        SVI_CHECK(!layer.weight.is_meta(), name,
                  ".weight has no values: load or adopt weights before use");
        const auto weight = brought(layer.weight, head.device());
        if (layer.scale.defined()) {
          layer.weight =
              dequantised(weight, brought(layer.scale, head.device()), head.scalar_type());
          layer.scale = at::Tensor();
        } else {
          layer.weight = weight.to(head.scalar_type());
        }
      });
  return block;
}

BlockPointer held_or_ready(const std::weak_ptr<const WanBlock>& held, const WanDitParts& parts,
                           std::size_t i) {
  auto block = held.lock();
  return block != nullptr ? block : ready_block(parts, i);
}

BlockFeed::BlockFeed(const WanDitParts& parts, Takes takes) : parts_(parts), takes_(takes) {
  prefetch();
}

BlockFeed::~BlockFeed() {
  try {
    retire();
  } catch (const std::exception&) {
    // The device has failed; whoever asks it for a result is told.
  }
}

void BlockFeed::prefetch() {
  if (index_ >= parts_.blocks.size()) return;
  const bool ready = is_ready(parts_, index_, takes_);
  if (ready && index_ < parts_.resident) return;
  coming_ = std::async(std::launch::async, [&parts = parts_, takes = takes_, i = index_, ready] {
    if (ready) {
      advise(parts.blocks[i], parts.config, MADV_WILLNEED);
      return ready_block(parts, i, takes);
    }
    if (!parts.side_stream) return ready_block(parts, i, takes);
    const c10::StreamGuard guard(*parts.side_stream);
    auto block = ready_block(parts, i, takes);
    parts.side_stream->synchronize();
    return block;
  });
}

void BlockFeed::retire() {
  if (current_.use_count() > 0 && has_streams(parts_.head.weight)) {
    const auto device = parts_.head.weight.device();
    const c10::impl::VirtualGuardImpl guard(device.type());
    guard.synchronizeStream(guard.getStream(device));
  }
  current_.reset();
  if (parts_.release_pages && index_ > parts_.resident) {
    advise(parts_.blocks[index_ - 1], parts_.config, MADV_PAGEOUT);
  }
}

BlockPointer BlockFeed::next() {
  SVI_CHECK(index_ < parts_.blocks.size(), "the model has only ", parts_.blocks.size(), " blocks");
  auto block = coming_.valid() ? coming_.get() : ready_block(parts_, index_, takes_);
  retire();
  current_ = block;
  ++index_;
  prefetch();
  return block;
}

}  // namespace svi::wan
