#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "svi/model/extension.hpp"

namespace svi {
struct WanDitParts;
}

namespace svi::wan {

/// What the attached extensions made of one pass, as the blocks need it.
class Extended {
 public:
  Extended() = default;

  /// Asks every extension of the model. `names` receives what each brought, for a probe.
  static Extended begin(const WanDitParts& parts, const Condition& condition,
                        const at::Tensor& timestep, std::int64_t batch, const TokenGrid& grid);

  /// The sum of what is added to the latent's tokens, [B, L, D], or undefined.
  const at::Tensor& residual() const { return residual_; }
  /// All token groups, in order.
  const std::vector<TokenGroup>& groups() const { return groups_; }

  /// The views of self-attention; none: it goes over all tokens.
  const AttentionViews& views() const { return views_; }

  /// Whether some extension adds behind the cross-attention of a block.
  bool acts_after_cross_attention(std::int64_t block) const;
  /// The sum of what they add there, [B, L, D] in the dtype of x: zero for the tokens of groups,
  /// which come last in x.
  at::Tensor after_cross_attention(std::int64_t block, const at::Tensor& x) const;

  /// Every tensor that the blocks read, in order, for a body that is computed again; and the same
  /// with others in their place, the first of them at `inputs[first]`.
  std::vector<at::Tensor> inputs() const;
  Extended with_inputs(const std::vector<at::Tensor>& inputs, std::size_t first) const;

 private:
  struct One {
    std::shared_ptr<const ModelExtension> extension;
    std::vector<at::Tensor> kept;
  };
  std::vector<One> all_;
  TokenGrid grid_;
  at::Tensor residual_;
  std::vector<TokenGroup> groups_;
  AttentionViews views_;
};

/// WanDit::embed_patches.
at::Tensor embed_patches(const WanDitParts& parts, const at::Tensor& latent);

}  // namespace svi::wan
