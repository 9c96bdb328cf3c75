#include "vision/transformers/viclip.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "svi/core/check.hpp"

namespace svi::vision {
namespace {

constexpr double kViclipEpsilon = 1e-5;

std::vector<Block> tower_blocks(Weights& weights, const std::string& tower, std::int64_t width) {
  const auto name = tower + ".transformer.resblocks.";
  std::vector<Block> blocks;
  const auto depth = weights.count(name, ".ln_1.weight");
  for (std::int64_t i = 0; i < depth; ++i)
    blocks.push_back(clip_block(weights, cat(name, i), width, Gelu::quick));
  return blocks;
}

at::Tensor of_length_one(const at::Tensor& vector) { return vector / vector.norm(); }

}  // namespace

Viclip::Viclip(Weights weights) {
  const std::string eye = "vision_encoder.", text = "text_encoder.";
  const auto width = weights.size(eye + "conv1.weight", 0);
  const auto patch = weights.size(eye + "conv1.weight", 4);
  const auto places = weights.size(eye + "positional_embedding", 0) - 1;
  side_ = std::llround(std::sqrt(static_cast<double>(places))) * patch;
  patches_ = Conv(weights, eye + "conv1", 3, width,
                  {.kernel = {1, patch, patch}, .stride = {1, patch, patch}, .biased = false});
  cls_ = weights.take(eye + "class_embedding", {width});
  positions_ = weights.take(eye + "positional_embedding", {1 + places, width});
  const std::string moments = eye + "temporal_positional_embedding";
  moments_ = weights.take(moments, {1, weights.size(moments, 1), width});
  before_ = LayerNorm(weights, eye + "ln_pre", width, kViclipEpsilon);
  blocks_ = tower_blocks(weights, "vision_encoder", width);
  after_ = LayerNorm(weights, eye + "ln_post", width, kViclipEpsilon);
  const auto out = weights.size(eye + "proj", 1);
  proj_ = weights.take(eye + "proj", {width, out});

  const auto words = weights.size(text + "token_embedding.weight", 0);
  const auto text_width = weights.size(text + "token_embedding.weight", 1);
  text_embedding_ = weights.take(text + "token_embedding.weight", {words, text_width});
  const std::string places_of_text = text + "positional_embedding";
  text_positions_ = weights.take(places_of_text, {weights.size(places_of_text, 0), text_width});
  text_blocks_ = tower_blocks(weights, "text_encoder", text_width);
  text_after_ = LayerNorm(weights, text + "ln_final", text_width, kViclipEpsilon);
  text_proj_ = weights.take(text + "text_projection", {text_width, out});
  if (weights.has("temp")) weights.take("temp");  // of the training's loss
  weights.finish();
}

at::Tensor Viclip::video(const at::Tensor& frames) const {
  const auto T = frames.size(0), width = cls_.size(0);
  SVI_CHECK(T == this->frames() && frames.size(2) == side_ && frames.size(3) == side_, "frames [",
            this->frames(), ", 3, ", side_, ", ", side_, "], got ", frames.sizes());
  auto x = patches_(frames.transpose(0, 1).unsqueeze(0));  // [1, W, T, rows, columns]
  x = x.flatten(3).permute({0, 3, 2, 1});  // [1, P, T, W]: a patch's moments in a row
  x = x + positions_.narrow(0, 1, x.size(1)).view({1, -1, 1, width}) + moments_.unsqueeze(1);
  const auto cls = (cls_ + positions_[0]).view({1, 1, width});
  x = before_(at::cat({cls, x.reshape({1, -1, width})}, 1));
  for (const auto& block : blocks_) x = block(x);
  return of_length_one(at::matmul(after_(x[0][0]), proj_));
}

at::Tensor Viclip::text(const std::vector<std::int64_t>& ids) const {
  SVI_CHECK(static_cast<std::int64_t>(ids.size()) == tokens(), ids.size(), " tokens instead of ",
            tokens());
  const auto end = std::max_element(ids.begin(), ids.end());
  SVI_CHECK(*end < words(), "a token of id ", *end, " with ", words(), " words");
  const auto index = at::tensor(at::ArrayRef<std::int64_t>(ids)).to(text_embedding_.device());
  auto x = (text_embedding_.index_select(0, index) + text_positions_).unsqueeze(0);
  for (const auto& block : text_blocks_) x = block(x, /*causal=*/true);
  return of_length_one(at::matmul(text_after_(x[0][end - ids.begin()]), text_proj_));
}

}  // namespace svi::vision
