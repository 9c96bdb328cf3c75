#include "vision/transformers/musiq.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "svi/core/check.hpp"

namespace svi::vision {
namespace {

constexpr std::int64_t kMusiqPatch = 32, kMusiqGrid = 10;
constexpr std::int64_t kStem = 64, kStemOut = 256, kStemSide = 8;
constexpr std::int64_t kMusiqHead = 64;
constexpr double kMusiqEpsilon = 1e-6, kStemEpsilon = 1e-4;

/// A convolution whose filters have mean 0 and deviation 1: the weights are made so once.
Conv standardised(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
                  ConvShape shape) {
  shape.biased = false;
  Conv conv(weights, name, in, out, std::move(shape));
  const auto mean = conv.weight.mean({1, 2, 3}, true);
  const auto deviation = conv.weight.std(at::IntArrayRef{1, 2, 3}, /*unbiased=*/true, true);
  conv.weight = (conv.weight - mean) / (deviation + 1e-5);
  return conv;
}

Block musiq_block(Weights& weights, const std::string& name, std::int64_t width) {
  const auto hidden = weights.size(name + ".mlp.fc1.weight", 0);
  const Linear query(weights, name + ".attention.query", width, width);
  const Linear key(weights, name + ".attention.key", width, width);
  const Linear value(weights, name + ".attention.value", width, width);
  Block block;
  block.norm1 = LayerNorm(weights, name + ".norm1", width, kMusiqEpsilon);
  block.norm2 = LayerNorm(weights, name + ".norm2", width, kMusiqEpsilon);
  block.qkv.weight = at::cat({query.weight, key.weight, value.weight});
  block.qkv.bias = at::cat({query.bias, key.bias, value.bias});
  block.out = Linear(weights, name + ".attention.out", width, width);
  block.fc1 = Linear(weights, name + ".mlp.fc1", width, hidden);
  block.fc2 = Linear(weights, name + ".mlp.fc2", hidden, width);
  block.heads = width / kMusiqHead;
  return block;
}

/// Zeros around, so that whole patches cover the picture: half of them in front, rounded down.
at::Tensor padded_to_patches(const at::Tensor& x) {
  const auto over = [](std::int64_t length) {
    return (kMusiqPatch - length % kMusiqPatch) % kMusiqPatch;
  };
  const auto rows = over(x.size(2)), columns = over(x.size(3));
  return at::constant_pad_nd(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2}, 0);
}

}  // namespace

GroupNorm::GroupNorm(Weights& weights, const std::string& name, std::int64_t channels,
                     double epsilon_)
    : weight(weights.take(name + ".weight", {channels})),
      bias(weights.take(name + ".bias", {channels})),
      epsilon(epsilon_) {}

at::Tensor GroupNorm::operator()(const at::Tensor& x) const {
  return at::group_norm(x, 32, weight, bias, epsilon);
}

std::pair<std::int64_t, std::int64_t> musiq_size(std::int64_t height, std::int64_t width,
                                                 std::int64_t longer) {
  const double ratio = static_cast<double>(longer) / static_cast<double>(std::max(height, width));
  const auto scaled = [&](std::int64_t length) {
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(length) * ratio));
  };
  return {scaled(height), scaled(width)};
}

at::Tensor musiq_places(std::int64_t rows, std::int64_t columns) {
  const auto grid = at::arange(kMusiqGrid, at::kFloat).view({1, 1, kMusiqGrid});
  const auto at_rows = at::upsample_nearest1d(grid, rows).view({rows, 1});
  const auto at_columns = at::upsample_nearest1d(grid, columns).view({1, columns});
  return (at_rows * static_cast<double>(kMusiqGrid) + at_columns).flatten().to(at::kLong);
}

Musiq::Musiq(Weights weights) {
  if (weights.has("params.conv_root.weight")) {
    weights.rename([](const std::string& name) {
      return name.starts_with("params.") ? name.substr(7) : std::string();
    });
  }
  const std::string encoder = "transformer_encoder.";
  width_ = weights.size(encoder + "cls", 2);
  if (width_ < kMusiqHead || width_ % kMusiqHead != 0) {
    raise<IoError>(weights.origin(), ": ", encoder, "cls is ", width_,
                   " wide, which is no multiple of 64; the file is of another network");
  }
  root_ = standardised(weights, "conv_root", 3, kStem, {.kernel = {7, 7}, .stride = {2}});
  root_norm_ = GroupNorm(weights, "gn_root", kStem, kMusiqEpsilon);
  conv1_ = standardised(weights, "block1.conv1", kStem, kStem, {.kernel = {1, 1}});
  conv2_ = standardised(weights, "block1.conv2", kStem, kStem, {.kernel = {3, 3}, .padding = {1}});
  conv3_ = standardised(weights, "block1.conv3", kStem, kStemOut, {.kernel = {1, 1}});
  around_ = standardised(weights, "block1.conv_proj", kStem, kStemOut, {.kernel = {1, 1}});
  norm1_ = GroupNorm(weights, "block1.gn1", kStem, kStemEpsilon);
  norm2_ = GroupNorm(weights, "block1.gn2", kStem, kStemEpsilon);
  norm3_ = GroupNorm(weights, "block1.gn3", kStemOut, kStemEpsilon);
  around_norm_ = GroupNorm(weights, "block1.gn_proj", kStemOut, kStemEpsilon);
  embedding_ = Linear(weights, "embedding", kStemSide * kStemSide * kStemOut, width_);
  places_ = weights.take(encoder + "posembed_input.position_emb",
                         {1, kMusiqGrid * kMusiqGrid, width_})[0];
  sizes_ = weights.take(encoder + "scaleembed_input.scale_emb", {3, width_});
  cls_ = weights.take(encoder + "cls", {1, 1, width_});
  const auto block = encoder + "transformer.encoderblock_";
  const auto depth = weights.count(block, ".norm1.weight");
  for (std::int64_t i = 0; i < depth; ++i)
    blocks_.push_back(musiq_block(weights, cat(block, i), width_));
  norm_ = LayerNorm(weights, encoder + "encoder_norm", width_, kMusiqEpsilon);
  head_ = Linear(weights, "head", width_, 1);
  weights.finish();
}

at::Tensor Musiq::stem(const at::Tensor& patches) const {
  // Padding as TensorFlow's SAME: of an odd number of zeros one more stands behind.
  auto x = at::relu(root_norm_(root_(at::constant_pad_nd(patches, {2, 3, 2, 3}, 0))));
  x = at::max_pool2d(at::constant_pad_nd(x, {0, 1, 0, 1}, 0), 3, 2);  // [P, 64, 8, 8]
  auto y = at::relu(norm1_(conv1_(x)));
  y = at::relu(norm2_(conv2_(y)));
  y = at::relu(norm3_(conv3_(y)) + around_norm_(around_(x)));  // [P, 256, 8, 8]
  return embedding_(y.permute({0, 2, 3, 1}).flatten(1));
}

at::Tensor Musiq::tokens(const at::Tensor& frames, std::int64_t size) const {
  const auto x = padded_to_patches(frames);
  const auto B = x.size(0), rows = x.size(2) / kMusiqPatch, columns = x.size(3) / kMusiqPatch;
  const auto patches = x.view({B, 3, rows, kMusiqPatch, columns, kMusiqPatch})
                           .permute({0, 2, 4, 1, 3, 5})
                           .reshape({B * rows * columns, 3, kMusiqPatch, kMusiqPatch});
  const auto places = musiq_places(rows, columns).to(places_.device());
  return stem(patches).view({B, rows * columns, width_}) + places_.index_select(0, places) +
         sizes_[size];
}

at::Tensor Musiq::operator()(const at::Tensor& frames) const {
  SVI_CHECK(frames.dim() == 4 && frames.size(1) == 3, "frames [B, 3, H, W], got ", frames.sizes());
  const auto x = ((frames - 0.5) * 2).contiguous();
  std::vector<at::Tensor> sequence = {cls_.expand({x.size(0), 1, width_})};
  std::int64_t size = 0;
  for (const std::int64_t longer : {224, 384}) {
    const auto [height, width] = musiq_size(x.size(2), x.size(3), longer);
    sequence.push_back(tokens(at::upsample_bicubic2d(x, {height, width}, false), size++));
  }
  sequence.push_back(tokens(x, size));
  // The original fills the two small sizes up to 49 and 144 tokens and masks what it added. The
  // answer is the same without.
  auto y = at::cat(sequence, 1);
  for (const auto& block : blocks_) y = block(y);
  return head_(norm_(y.select(1, 0))).squeeze(1);
}

}  // namespace svi::vision
