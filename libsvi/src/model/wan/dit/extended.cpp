#include "model/wan/dit/extended.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "model/wan/dit/block.hpp"
#include "model/wan/dit/dit_parts.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace wan {

Extended Extended::begin(const WanDitParts& parts, const Condition& condition,
                         const at::Tensor& timestep, std::int64_t batch, const TokenGrid& grid) {
  Extended made;
  if (parts.extensions.empty()) return made;
  if (parts.split != nullptr) {
    raise<ConfigError>("[extension.", parts.extensions.front()->label(),
                       "] needs all tokens of a clip on one rank: do not split films over ranks "
                       "(svi-generate without --split), or leave the extension out");
  }
  const std::function<at::Tensor(const at::Tensor&)> embed = [&parts](const at::Tensor& latent) {
    return embed_patches(parts, latent);
  };
  made.grid_ = grid;
  for (const auto& extension : parts.extensions) {
    auto inputs = extension->begin({condition, timestep, batch, grid, embed});
    if (inputs.residual.defined()) {
      made.residual_ =
          made.residual_.defined() ? made.residual_ + inputs.residual : inputs.residual;
    }
    for (auto& group : inputs.groups) made.groups_.push_back(std::move(group));
    if (!inputs.views.first.empty()) {
      SVI_CHECK(made.views_.first.empty(), "two extensions bring views of self-attention");
      made.views_ = std::move(inputs.views);
    }
    made.all_.push_back({extension, std::move(inputs.kept)});
  }
  if (!made.views_.first.empty() && !made.groups_.empty()) {
    raise<ConfigError>("[extension.", parts.extensions.front()->label(),
                       "]: views of self-attention hold frames of the latent alone, and another ",
                       "extension brings tokens of its own; leave one of them out");
  }
  return made;
}

bool Extended::acts_after_cross_attention(std::int64_t block) const {
  return std::any_of(all_.begin(), all_.end(), [&](const One& one) {
    return one.extension->acts_after_cross_attention(block);
  });
}

at::Tensor Extended::after_cross_attention(std::int64_t block, const at::Tensor& x) const {
  const auto L = grid_.tokens(), others = x.size(1) - L;
  const auto tokens = others > 0 ? x.narrow(1, 0, L) : x;
  at::Tensor sum;
  for (const auto& one : all_) {
    if (!one.extension->acts_after_cross_attention(block)) continue;
    const auto added = one.extension->after_cross_attention({block, tokens, grid_, one.kept});
    sum = sum.defined() ? sum + added : added;
  }
  if (others > 0) sum = at::constant_pad_nd(sum, {0, 0, 0, others});
  return sum.contiguous();
}

std::vector<at::Tensor> Extended::inputs() const {
  std::vector<at::Tensor> all;
  for (const auto& one : all_) all.insert(all.end(), one.kept.begin(), one.kept.end());
  return all;
}

Extended Extended::with_inputs(const std::vector<at::Tensor>& inputs, std::size_t first) const {
  auto changed = *this;
  for (auto& one : changed.all_) {
    for (auto& kept : one.kept) kept = inputs.at(first++);
  }
  return changed;
}

at::Tensor attend_in_views(const Stream& stream, std::int64_t L,
                           const std::function<at::Tensor(std::int64_t first, std::int64_t count,
                                                          const WanRope& rope)>& attend) {
  const auto& views = stream.extended.views();
  if (views.first.empty()) return attend(0, L, stream.rope);
  const auto n = stream.frames.tokens, count = views.frames * n;
  at::Tensor sum;
  for (std::size_t v = 0; v < views.first.size(); ++v) {
    const auto first = views.first[v] * n;
    const auto seen = attend(first, count, stream.view_rope);  // [B, count, D]
    const auto share = views.shares[static_cast<std::int64_t>(v)]
                           .to(seen.options())
                           .repeat_interleave(n)
                           .view({1, count, 1});
    if (!sum.defined()) sum = seen.new_zeros({seen.size(0), L, seen.size(2)});
    sum.narrow(1, first, count).add_(seen * share);
  }
  return sum;
}

}  // namespace wan

ExtensionHost WanDit::extension_host() const {
  const auto& c = parts_->config;
  return {c.dim, c.heads, c.layers, c.in_dim, c.out_dim, c.patch};
}

void WanDit::attach(std::shared_ptr<ModelExtension> extension) {
  SVI_CHECK(extension != nullptr, "there is no extension to attach");
  const auto& label = extension->label();
  SVI_CHECK(extension->host() == extension_host(), "the extension '", label,
            "' is not built for a model of these sizes");
  for (const auto& known : parts_->extensions)
    SVI_CHECK(known->label() != label, "an extension '", label, "' is attached already");
  parts_->extensions.push_back(std::move(extension));
}

void WanDit::detach_extensions() { parts_->extensions.clear(); }

const std::vector<std::shared_ptr<ModelExtension>>& WanDit::extensions() const {
  return parts_->extensions;
}

std::vector<std::string> WanDit::reads() const {
  std::vector<std::string> names{std::string(part::kText), std::string(part::kImage),
                                 std::string(part::kClip)};
  for (const auto& extension : parts_->extensions) {
    for (const auto& rule : extension->reads()) {
      if (std::find(names.begin(), names.end(), rule.name) == names.end())
        names.push_back(rule.name);
    }
  }
  return names;
}

std::vector<std::string> WanDit::track_parts() const {
  std::vector<std::string> names;
  for (const auto& extension : parts_->extensions) {
    for (const auto& rule : extension->reads()) {
      const bool own =
          rule.name == part::kText || rule.name == part::kImage || rule.name == part::kClip;
      if (!own && rule.track && std::find(names.begin(), names.end(), rule.name) == names.end())
        names.push_back(rule.name);
    }
  }
  return names;
}

at::Tensor WanDit::embed_patches(const at::Tensor& latent) const {
  return wan::embed_patches(*parts_, latent);
}

}  // namespace svi
