#include "vision/flow/amt.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "vision/flow/correlation.hpp"
#include "vision/flow/fast_conv.hpp"
#include "vision/flow/warp.hpp"

namespace svi::vision {
namespace {

constexpr std::array<std::int64_t, 4> kPyramid = {20, 32, 44, 56};  // channels, finest first
constexpr std::int64_t kSide = 20;                                  // channels of the detour
constexpr std::int64_t kFlows = 3;                                  // of each way, at the end
constexpr std::int64_t kAmtLevels = 4, kAmtRadius = 3;              // of the correlation
constexpr std::int64_t kMultiple = 16;                              // of the sides of frames
constexpr double kAmtSlope = 0.1;                                   // of leaky ReLU
constexpr double kMidway = 0.5;                                     // when the frame is

Conv amt_conv(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
              std::int64_t kernel, std::int64_t stride = 1) {
  Conv conv(weights, name, in, out,
            {.kernel = {kernel, kernel}, .stride = {stride}, .padding = {kernel / 2}});
  conv.weight = conv.weight.contiguous(at::MemoryFormat::ChannelsLast);
  return conv;
}

at::Tensor leaky(at::Tensor x) { return at::leaky_relu_(x, kAmtSlope); }

/// Bilinear, pixels' centres at halves, without smoothing.
at::Tensor scaled(const at::Tensor& x, std::int64_t height, std::int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  return at::upsample_bilinear2d(x, {height, width}, false);
}

at::Tensor with_side(const at::Tensor& x, const SlopedConv& side) {
  const auto width = x.size(1) - kSide;
  return at::cat({x.narrow(1, 0, width), side(x.narrow(1, width, kSide))}, 1);
}

}  // namespace

SlopedConv::SlopedConv(Weights& weights, const std::string& name, const std::string& slope_name,
                       std::int64_t in, std::int64_t out, std::int64_t stride)
    : conv(FastConv(amt_conv(weights, name, in, out, 3, stride))),
      slope(weights.take(slope_name + ".weight", {out})) {}

at::Tensor SlopedConv::operator()(const at::Tensor& x) const { return at::prelu(conv(x), slope); }

AmtTrunk::AmtTrunk(Weights& weights, const std::string& name, std::int64_t in, std::int64_t width,
                   std::int64_t out)
    : entry_(weights, name + ".0.0", name + ".0.1", in, width) {
  const auto block = [&](const char* conv, std::int64_t channels) {
    return SlopedConv(weights, cat(name, ".1.", conv, ".0"), cat(name, ".1.", conv, ".1"), channels,
                      channels);
  };
  wide1_ = block("conv1", width);
  side1_ = block("conv2", kSide);
  wide2_ = block("conv3", width);
  side2_ = block("conv4", kSide);
  wide3_ = FastConv(amt_conv(weights, name + ".1.conv5", width, width, 3));
  slope_ = weights.take(name + ".1.prelu.weight", {width});
  up_weight_ = weights.take(name + ".2.weight", {width, out, 4, 4});
  up_bias_ = weights.take(name + ".2.bias", {out});
}

at::Tensor AmtTrunk::operator()(const at::Tensor& x) const {
  const auto entered = entry_(x);
  auto y = with_side(wide1_(entered), side1_);
  y = with_side(wide2_(y), side2_);
  y = at::prelu(wide3_(y).add_(entered), slope_);
  return at::conv_transpose2d(y, up_weight_, up_bias_, 2, 1);
}

AmtUpdate::AmtUpdate(Weights& weights, const std::string& name, std::int64_t channels,
                     std::int64_t factor)
    : factor_(factor) {
  constexpr auto kSamples = 2 * kAmtLevels * (2 * kAmtRadius + 1) * (2 * kAmtRadius + 1);
  correlation_ = amt_conv(weights, name + ".convc1", kSamples, 64, 1);
  flow1_ = amt_conv(weights, name + ".convf1", 4, 40, 7);
  flow2_ = FastConv(amt_conv(weights, name + ".convf2", 40, 20, 3));
  both_ = FastConv(amt_conv(weights, name + ".conv", 64 + 20, 68, 3));
  state1_ = FastConv(amt_conv(weights, name + ".gru.0", 68 + 4 + channels, 76, 3));
  state2_ = FastConv(amt_conv(weights, name + ".gru.2", 76, 76, 3));
  features1_ = FastConv(amt_conv(weights, name + ".feat_head.0", 76, 76, 3));
  features2_ = FastConv(amt_conv(weights, name + ".feat_head.2", 76, channels, 3));
  flows1_ = FastConv(amt_conv(weights, name + ".flow_head.0", 76, 76, 3));
  flows2_ = amt_conv(weights, name + ".flow_head.2", 76, 4, 3);
}

void AmtUpdate::operator()(at::Tensor& features, at::Tensor& flows, const at::Tensor& small_flows,
                           const at::Tensor& correlation) const {
  const auto h = small_flows.size(2), w = small_flows.size(3);
  const auto alike = leaky(correlation_(correlation));
  const auto moved = leaky(flow2_(leaky(flow1_(small_flows))));
  const auto known = leaky(both_(at::cat({alike, moved}, 1)));
  const auto state =
      state2_(leaky(state1_(at::cat({known, small_flows, scaled(features, h, w)}, 1))));
  const auto more = features2_(leaky(features1_(state)));
  const auto moves = flows2_(leaky(flows1_(state)));
  features = features + scaled(more, h * factor_, w * factor_);
  flows = flows + scaled(moves, h * factor_, w * factor_) * static_cast<double>(factor_);
}

Amt::Amt(Weights weights) : device_(weights.device()) {
  stem_ = amt_conv(weights, "feat_encoder.conv1", 3, 32, 7, 2);
  std::int64_t in = 32;
  for (const std::int64_t stage : {1, 2, 3}) {
    const std::int64_t out = 32 * stage;
    for (const std::int64_t i : {0, 1}) {
      const auto name = cat("feat_encoder.layer", stage, ".", i, ".");
      const std::int64_t stride = in == out ? 1 : 2;
      Bottleneck block;
      block.narrow = amt_conv(weights, name + "conv1", in, out / 4, 1);
      block.middle = amt_conv(weights, name + "conv2", out / 4, out / 4, 3, stride);
      block.wide = amt_conv(weights, name + "conv3", out / 4, out, 1);
      if (stride != 1) block.shortcut = amt_conv(weights, name + "downsample.0", in, out, 1, 2);
      bottlenecks_.push_back(std::move(block));
      in = out;
    }
  }
  last_ = amt_conv(weights, "feat_encoder.conv2", 96, 84, 1);
  std::int64_t channels = 3;
  for (std::size_t i = 0; i < kPyramid.size(); ++i) {
    const auto level = cat("encoder.pyramid", i + 1);
    pyramid_[i].first = {weights, level + ".0.0", level + ".0.1", channels, kPyramid[i], 2};
    pyramid_[i].second = {weights, level + ".1.0", level + ".1.1", kPyramid[i], kPyramid[i]};
    channels = kPyramid[i];
  }
  trunks_[3] = {weights, "decoder4.convblock", 2 * 56 + 1, 2 * 56, 44 + 4};
  trunks_[2] = {weights, "decoder3.convblock", 3 * 44 + 4, 3 * 44, 32 + 4};
  trunks_[1] = {weights, "decoder2.convblock", 3 * 32 + 4, 3 * 32, 20 + 4};
  trunks_[0] = {weights, "decoder1.convblock", 3 * 20 + 4, 3 * 20, 8 * kFlows};
  updates_ = {AmtUpdate(weights, "update2", 20, 4), AmtUpdate(weights, "update3", 32, 2),
              AmtUpdate(weights, "update4", 44, 1)};
  combine1_ = {weights, "comb_block.0", "comb_block.1", 3 * kFlows, 6 * kFlows};
  combine2_ = amt_conv(weights, "comb_block.2", 6 * kFlows, 3, 3);
  weights.finish();
}

at::Tensor Amt::correlated(const at::Tensor& image) const {
  auto x = normed_over_places(stem_(image));
  for (const auto& block : bottlenecks_) {
    auto y = normed_over_places(
        block.wide(normed_over_places(block.middle(normed_over_places(block.narrow(x))))));
    if (block.shortcut.weight.defined()) x = normed_over_places(block.shortcut(x), /*linear=*/true);
    x = y.add_(x).relu_();
  }
  return last_(x);
}

std::array<at::Tensor, 4> Amt::pyramid(const at::Tensor& image) const {
  std::array<at::Tensor, 4> levels;
  auto x = image;
  for (std::size_t i = 0; i < levels.size(); ++i)
    levels[i] = x = pyramid_[i].second(pyramid_[i].first(x));
  return levels;
}

/// What `trunk` makes of flows and features, with the frames' own features `first` and `last` at
/// their size, drawn along the flows: twice as fine.
at::Tensor Amt::decoded(const AmtTrunk& trunk, const Flows& now, const at::Tensor& first,
                        const at::Tensor& last) {
  const auto& flows = now.flows;
  return trunk(at::cat({now.features, warped(first, flows.narrow(1, 0, 2), Outside::edge),
                        warped(last, flows.narrow(1, 2, 2), Outside::edge), flows},
                       1));
}

Amt::Flows Amt::finer(const at::Tensor& out, const at::Tensor& flows) {
  const auto twice = scaled(flows, 2 * flows.size(2), 2 * flows.size(3)) * 2;
  return {out.narrow(1, 4, out.size(1) - 4), out.narrow(1, 0, 4) + twice};
}

/// `decoded` [1, 24, H, W]: changes of three flows to each frame, three masks, three remainders.
at::Tensor Amt::combined(const at::Tensor& decoded, const at::Tensor& flows,
                         const at::Tensor& first, const at::Tensor& last,
                         const at::Tensor& mean) const {
  const auto H = first.size(2), W = first.size(3);
  const auto parts = decoded.contiguous();  // by channels: each is read as pictures
  const auto part = [&](std::int64_t begin, std::int64_t channels) {
    return parts.narrow(1, begin, kFlows * channels).view({kFlows, channels, H, W});
  };
  const auto twice = scaled(flows, H, W).mul(2).contiguous();
  const auto drawn = [&](const at::Tensor& image, std::int64_t side) {
    return warped(image.expand({kFlows, 3, H, W}),
                  part(2 * kFlows * side, 2) + twice.narrow(1, 2 * side, 2), Outside::edge);
  };
  const auto mask = part(4 * kFlows, 1).sigmoid();
  const auto guesses = at::lerp(drawn(last, 1), drawn(first, 0), mask) + mean + part(5 * kFlows, 3);
  const auto together = guesses.view({1, 3 * kFlows, H, W});
  const auto rest = combine2_(combine1_(together.contiguous(at::MemoryFormat::ChannelsLast)));
  return (guesses.mean(0) + rest.squeeze(0)).clamp_(0, 1);
}

at::Tensor Amt::between(const at::Tensor& first, const at::Tensor& last) const {
  const EdgePadding padding(first.size(1), first.size(2), kMultiple);
  const auto prepared = [&](const at::Tensor& frame) {
    return padding(frame.unsqueeze(0).to(device_).contiguous());
  };
  auto image0 = prepared(first), image1 = prepared(last);
  const auto mean = (image0.mean() + image1.mean()) / 2;
  image0 = (image0 - mean).contiguous(at::MemoryFormat::ChannelsLast);
  image1 = (image1 - mean).contiguous(at::MemoryFormat::ChannelsLast);

  const auto features0 = feature_pyramid(correlated(image0), kAmtLevels);
  const auto features1 = feature_pyramid(correlated(image1), kAmtLevels);
  Correlation forward(features0, features1, kAmtRadius), back(features1, features0, kAmtRadius);
  const auto levels0 = pyramid(image0), levels1 = pyramid(image1);

  const auto& coarsest = levels0[3];
  const auto when =
      at::full({1, 1, coarsest.size(2), coarsest.size(3)}, kMidway, coarsest.options());
  const auto start = trunks_[3](at::cat({coarsest, levels1[3], when}, 1));
  Flows now{start.narrow(1, 4, start.size(1) - 4), start.narrow(1, 0, 4)};
  const auto h = image0.size(2) / 8, w = image0.size(3) / 8;
  const auto grid = pixel_grid(h, w, image0.options());
  const auto update = [&](std::size_t level) {
    const auto shrink = static_cast<double>(h) / static_cast<double>(now.flows.size(2));
    const auto flows = scaled(now.flows, h, w) * shrink;
    const auto correlation = at::cat({forward.lookup(grid + flows.narrow(1, 2, 2) / kMidway),
                                      back.lookup(grid + flows.narrow(1, 0, 2) / (1 - kMidway))},
                                     1);
    updates_[level](now.features, now.flows, flows, correlation);
  };
  for (const std::size_t level : {2, 1}) {  // features are at 1/8 and 1/4
    update(level);
    now = finer(decoded(trunks_[level], now, levels0[level], levels1[level]), now.flows);
  }
  update(0);  // at 1/2
  const auto finest = decoded(trunks_[0], now, levels0[0], levels1[0]);
  return padding.removed(combined(finest, now.flows, image0, image1, mean));
}

}  // namespace svi::vision
