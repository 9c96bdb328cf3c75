#include "vision/transformers/clip_tower.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "svi/core/check.hpp"

namespace svi::vision {
namespace {

constexpr double kClipEpsilon = 1e-5;

}  // namespace

ClipTower::ClipTower(Weights weights, Gelu gelu) {
  weights.rename([](const std::string& name) {
    // Exported programs may keep masks; those of a tower of pictures hide nothing.
    const bool ours = name.starts_with("visual.") && !name.ends_with(".attn_mask");
    return ours ? name.substr(7) : std::string();
  });
  if (!weights.has("conv1.weight"))
    raise<IoError>(weights.origin(),
                   ": visual.conv1.weight is missing; the file holds no image "
                   "tower of CLIP");
  width_ = weights.size("conv1.weight", 0);
  patch_ = weights.size("conv1.weight", 3);
  const auto tokens = weights.size("positional_embedding", 0);
  const auto grid = std::llround(std::sqrt(static_cast<double>(tokens - 1)));
  side_ = grid * patch_;
  patches_ = Conv(weights, "conv1", 3, width_,
                  {.kernel = {patch_, patch_},
                   .stride = {patch_},
                   .biased = weights.has("conv1.bias")});  // DreamSim's copies have one
  cls_ = weights.take("class_embedding", {width_});
  positions_ = weights.take("positional_embedding", {1 + grid * grid, width_});
  before_ = LayerNorm(weights, "ln_pre", width_, kClipEpsilon);
  const auto depth = weights.count("transformer.resblocks.", ".ln_1.weight");
  for (std::int64_t i = 0; i < depth; ++i)
    blocks_.push_back(clip_block(weights, cat("transformer.resblocks.", i), width_, gelu));
  after_ = LayerNorm(weights, "ln_post", width_, kClipEpsilon);
  proj_ = weights.take("proj", {width_, weights.size("proj", 1)});
  for (const auto* setting : {"input_resolution", "training"})  // of TorchScript archives
    if (weights.has(setting)) weights.take(setting);
  weights.finish();
}

at::Tensor ClipTower::operator()(const at::Tensor& frames) const {
  SVI_CHECK(frames.dim() == 4 && frames.size(2) == side_ && frames.size(3) == side_,
            "frames [B, 3, ", side_, ", ", side_, "], got ", frames.sizes());
  auto x = patches_(frames).flatten(2).transpose(1, 2);  // [B, patches, width]
  x = at::cat({cls_.view({1, 1, width_}).expand({x.size(0), 1, width_}), x}, 1);
  x = before_(x + positions_);
  for (const auto& block : blocks_) x = block(x);
  return at::matmul(after_(x.select(1, 0)), proj_);
}

}  // namespace svi::vision
