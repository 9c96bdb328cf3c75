#include "model/wan/dit/behind.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/wan/dit/block.hpp"
#include "svi/core/check.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace wan {

std::pair<at::Tensor, at::Tensor> Behind::joined(std::size_t block, const at::Tensor& k,
                                                 const at::Tensor& v) const {
  if (kept != nullptr) {
    kept->keys.push_back(k);
    kept->values.push_back(v);
  }
  if (past.empty()) return {k, v};
  return {at::cat({past.keys[block], k}, 1), at::cat({past.values[block], v}, 1)};
}

WanRope rope_from(const WanRope& rope, std::int64_t first) {
  const auto n = rope.rows * rope.columns, count = rope.frames - first;
  auto part = rope;
  part.frames = count;
  part.cos = rope.cos.narrow(0, first * n, count * n);
  part.sin = rope.sin.narrow(0, first * n, count * n);
  return part;
}

void check_behind(const WanDitParts& parts, const FrameKeys& past, std::int64_t batch,
                  std::int64_t frame_tokens) {
  SVI_CHECK(!c10::GradMode::is_enabled(),
            "frames behind others are computed without gradients: put an at::NoGradGuard around "
            "it");
  if (!parts.extensions.empty()) {
    raise<ConfigError>("[extension.", parts.extensions.front()->label(),
                       "] reads all frames of a window at once, so their keys cannot be cached; "
                       "turn the cache off, or leave the extension out");
  }
  if (parts.split != nullptr) {
    raise<ConfigError>(
        "keys of frames cannot be cached where a film is split over ranks: turn the "
        "cache off, or do not split films (svi-generate without --split)");
  }
  if (parts.config.patch[0] != 1) {
    raise<ConfigError>("[model] patch: keys of frames cannot be cached where a token spans ",
                       parts.config.patch[0], " latent frames; turn the cache off");
  }
  if (past.empty()) return;
  const auto& dtype = parts.head.weight;
  SVI_CHECK(past.keys.size() == parts.blocks.size() && past.values.size() == parts.blocks.size(),
            "a cache of ", past.keys.size(), " blocks, the model has ", parts.blocks.size());
  for (const auto* tensors : {&past.keys, &past.values}) {
    for (const auto& cached : *tensors) {
      SVI_CHECK(cached.sizes() ==
                        at::IntArrayRef({batch, past.frames * frame_tokens, parts.config.dim}) &&
                    cached.scalar_type() == dtype.scalar_type() &&
                    cached.device() == dtype.device(),
                "a cache ", cached.sizes(), " of ", past.frames, " frames does not fit a batch of ",
                batch, " and ", frame_tokens, " tokens a frame");
    }
  }
}

}  // namespace wan

at::Tensor WanDit::velocity_behind(const FrameKeys& past, const at::Tensor& noisy,
                                   const at::Tensor& timestep, const Condition& condition,
                                   FrameKeys* kept) const {
  wan::Behind behind{past, kept};
  if (kept != nullptr) {
    SVI_CHECK(kept != &past, "the cache that frames stand behind cannot receive them");
    *kept = {};
    kept->frames = noisy.size(2);
  }
  return wan::forward(*parts_, noisy, timestep, condition, nullptr, &behind);
}

}  // namespace svi
