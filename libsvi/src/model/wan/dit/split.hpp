#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "svi/parallel/collective.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/shard.hpp"

namespace svi::wan {

/// A transformer's work spread over ranks (sequence parallelism, Jacobs et al. 2023, arXiv
/// 2309.14509): each rank owns a run of tokens, and between two exchanges around self-attention a
/// run of heads of all tokens instead. Shares differ by one at most.
///
/// The methods that move tensors are collective; one thread of a rank at a time.
class Split {
 public:
  /// Throws ConfigError where there are more ranks than heads.
  Split(const Communicator& group, std::unique_ptr<Collective> collective, std::int64_t heads);

  /// This rank's tokens out of `total`. Throws Error where some rank would have none.
  SlotRange tokens(std::int64_t total) const;
  /// This rank's heads.
  SlotRange heads() const;

  /// All heads of own tokens [B, own tokens, D] -> own heads of all tokens [B, total, own width].
  at::Tensor to_heads(const at::Tensor& x, std::int64_t total) const;
  /// And back.
  at::Tensor to_tokens(const at::Tensor& x, std::int64_t total) const;
  /// Own tokens [B, own tokens, D] -> those of all ranks [B, total, D], the same bytes on each
  /// rank.
  at::Tensor gather(const at::Tensor& x, std::int64_t total) const;

 private:
  // Each rank's share of `x` along `axis`, where `total` things of equal width lie: views.
  std::vector<at::Tensor> shares(const at::Tensor& x, std::int64_t axis, std::int64_t total) const;

  Communicator group_;
  std::unique_ptr<Collective> collective_;
  std::int64_t heads_;
};

}  // namespace svi::wan
