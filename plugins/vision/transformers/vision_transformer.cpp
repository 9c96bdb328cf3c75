#include "vision/transformers/vision_transformer.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "svi/core/check.hpp"

namespace svi::vision {
namespace {

constexpr double kVitEpsilon = 1e-6;
constexpr std::int64_t kHeadWidth = 64;

}  // namespace

VisionTransformer::VisionTransformer(Weights weights) {
  if (weights.has("mask_token")) weights.take("mask_token");  // DINOv2's, for training alone
  width_ = weights.size("cls_token", 2);
  patch_ = weights.size("patch_embed.proj.weight", 3);
  grid_ = std::llround(std::sqrt(static_cast<double>(weights.size("pos_embed", 1) - 1)));
  const auto depth = weights.count("blocks.", ".norm1.weight");
  if (width_ < kHeadWidth || width_ % kHeadWidth != 0) {
    raise<IoError>(weights.origin(), ": cls_token is ", width_,
                   " wide, which is no multiple of 64; the file is of another network");
  }
  cls_ = weights.take("cls_token", {1, 1, width_});
  table_ = weights.take("pos_embed", {1, 1 + grid_ * grid_, width_});
  patches_ = Conv(weights, "patch_embed.proj", 3, width_,
                  {.kernel = {patch_, patch_}, .stride = {patch_}});
  for (std::int64_t i = 0; i < depth; ++i) {
    blocks_.push_back(
        timm_block(weights, cat("blocks.", i), width_, width_ / kHeadWidth, kVitEpsilon));
  }
  norm_ = LayerNorm(weights, "norm", width_, kVitEpsilon);
  weights.finish();
}

VisionTransformer::VisionTransformer(Weights weights, std::int64_t width, std::int64_t depth,
                                     std::int64_t patch)
    : VisionTransformer([&] {
        const auto found_width = weights.size("cls_token", 2);
        const auto found_depth = weights.count("blocks.", ".norm1.weight");
        const auto found_patch = weights.size("patch_embed.proj.weight", 3);
        if (found_width != width || found_depth != depth || found_patch != patch) {
          raise<IoError>(weights.origin(), ": holds a vision transformer ", found_width, " wide, ",
                         found_depth, " deep, with patches of ", found_patch, "; wanted is one of ",
                         width, ", ", depth, ", ", patch);
        }
        return std::move(weights);
      }()) {}

at::Tensor VisionTransformer::positions(std::int64_t height, std::int64_t width) const {
  const auto rows = height / patch_, columns = width / patch_;
  if (rows * columns == grid_ * grid_ && height == width) return table_;
  // The official code resizes the table by factors that are 0.1 / grid too large, and samples with
  // the step of those factors, not of the sizes.
  const auto factor = [&](std::int64_t count) {
    return (static_cast<double>(count) + 0.1) / static_cast<double>(grid_);
  };
  const auto grid = table_.slice(1, 1).view({1, grid_, grid_, width_}).permute({0, 3, 1, 2});
  const auto resized = at::upsample_bicubic2d(grid.contiguous(), {rows, columns}, false,
                                              factor(rows), factor(columns));
  return at::cat({table_.slice(1, 0, 1), resized.flatten(2).transpose(1, 2)}, 1);
}

at::Tensor VisionTransformer::before_norm(const at::Tensor& frames) const {
  SVI_CHECK(frames.dim() == 4 && frames.size(2) >= patch_ && frames.size(3) >= patch_,
            "frames [B, 3, H, W] of one patch or more, got ", frames.sizes());
  auto x = patches_(frames).flatten(2).transpose(1, 2);  // [B, rows * columns, width]
  x = at::cat({cls_.expand({x.size(0), 1, width_}), x}, 1);
  x = x + positions(frames.size(2), frames.size(3));
  for (const auto& block : blocks_) x = block(x);
  return x.select(1, 0);
}

at::Tensor VisionTransformer::operator()(const at::Tensor& frames) const {
  return norm_(before_norm(frames));
}

}  // namespace svi::vision
