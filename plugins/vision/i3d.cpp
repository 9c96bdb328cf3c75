#include "vision/i3d.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "model/wan/vae/vae_winograd.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"
#include "vision/preprocess.hpp"

// Facts: the paper; the published PyTorch conversions of DeepMind's network (pytorch-i3d, cd-fvd),
// their names, epsilon and padding.
namespace svi::vision {
namespace {

/// A Mixed module: its name, and the widths of its branches.
struct MixedShape {
  const char* name;
  std::int64_t in, one, reduce_a, three_a, reduce_b, three_b, pooled;
};

constexpr std::array<MixedShape, 9> kMixedShapes = {{
    {"Mixed_3b", 192, 64, 96, 128, 16, 32, 32},
    {"Mixed_3c", 256, 128, 128, 192, 32, 96, 64},
    {"Mixed_4b", 480, 192, 96, 208, 16, 48, 64},
    {"Mixed_4c", 512, 160, 112, 224, 24, 64, 64},
    {"Mixed_4d", 512, 128, 128, 256, 24, 64, 64},
    {"Mixed_4e", 512, 112, 144, 288, 32, 64, 64},
    {"Mixed_4f", 528, 256, 160, 320, 32, 128, 128},
    {"Mixed_5b", 832, 256, 160, 320, 32, 128, 128},
    {"Mixed_5c", 832, 384, 192, 384, 48, 128, 128},
}};

/// Index in kMixedShapes of the modules that a pooling stands before.
constexpr std::size_t kFirstOfFour = 2, kFirstOfFive = 7;

/// Zeros around the last three axes, so that windows of `kernel` at every `stride` places give
/// ceil(length / stride) results.
at::Tensor same_padded(const at::Tensor& x, at::IntArrayRef kernel, at::IntArrayRef stride) {
  std::vector<std::int64_t> margins;  // of the last axis first: before, behind
  for (std::int64_t axis = 2; axis >= 0; --axis) {
    const auto k = kernel[static_cast<std::size_t>(axis)];
    const auto s = stride[static_cast<std::size_t>(axis)];
    const auto length = x.size(2 + axis), over = length % s == 0 ? s : length % s;
    const auto margin = std::max<std::int64_t>(k - over, 0);
    margins.push_back(margin / 2);
    margins.push_back(margin - margin / 2);
  }
  return at::constant_pad_nd(x, margins, 0);
}

at::Tensor same_max_pool(const at::Tensor& x, at::IntArrayRef kernel, at::IntArrayRef stride) {
  return at::max_pool3d(same_padded(x, kernel, stride), kernel, stride);
}

/// A convolution without bias and its batch norm, of equal sides.
Conv i3d_conv(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
              std::int64_t side, std::int64_t stride = 1) {
  const Conv conv(weights, name + ".conv3d", in, out,
                  {.kernel = {side, side, side},
                   .stride = {stride, stride, stride},
                   .padding = {0, 0, 0},
                   .biased = false});
  return folded(conv, BatchNorm(weights, name + ".bn", out, 1e-5));
}

/// Convolutions of the same input as one.
Conv side_by_side(const std::vector<Conv>& convs) {
  Conv all = convs.front();
  std::vector<at::Tensor> weights, biases;
  for (const auto& conv : convs) {
    weights.push_back(conv.weight);
    biases.push_back(conv.bias);
  }
  all.weight = at::cat(weights);
  all.bias = at::cat(biases);
  return all;
}

bool has_sides(const Conv& conv, std::int64_t side) {
  return conv.shape.kernel == std::vector<std::int64_t>(3, side) &&
         conv.shape.stride == std::vector<std::int64_t>(3, 1);
}

std::int64_t whole_registers(std::int64_t channels) { return (channels + 15) / 16 * 16; }

/// The short side becomes 224, the long one in proportion, rounded up; then the middle is cut out,
/// the smaller margin on top and left.
at::Tensor short_side_and_crop(const at::Tensor& levels) {  // [3, H, W]
  const auto H = levels.size(1), W = levels.size(2), shorter = std::min(H, W);
  const double scale = static_cast<double>(I3d::kSide) / static_cast<double>(shorter);
  const auto scaled = [&](std::int64_t length) {
    return length == shorter
               ? I3d::kSide
               : static_cast<std::int64_t>(std::ceil(static_cast<double>(length) * scale));
  };
  const auto frame = resized(levels, scaled(H), scaled(W), {Filter::bilinear, false});
  return frame.narrow(1, (frame.size(1) - I3d::kSide) / 2, I3d::kSide)
      .narrow(2, (frame.size(2) - I3d::kSide) / 2, I3d::kSide);
}

}  // namespace

I3dUnit::I3dUnit(Conv conv, bool rectified) : conv_(std::move(conv)), rectified_(rectified) {
  const auto in = conv_.weight.size(1), out = conv_.weight.size(0);
  if (!conv_.weight.is_cpu() || !has_sides(conv_, 3) || out % 16 != 0) return;
  const auto weight =
      at::constant_pad_nd(conv_.weight, {0, 0, 0, 0, 0, 0, 0, whole_registers(in) - in});
  made_ = wan::winograd_weight(weight.contiguous(), 3);
  conv_.weight = at::Tensor();
}

at::Tensor I3dUnit::operator()(const at::Tensor& x) const {
  at::Tensor y;
  if (made_.defined()) {
    y = in_tiles(x);
  } else if (x.is_cpu() && has_sides(conv_, 1)) {
    const auto places = x.permute({0, 2, 3, 4, 1});  // [B, T, H, W, in]
    y = at::linear(places, conv_.weight.flatten(1), conv_.bias).permute({0, 4, 1, 2, 3});
  } else {
    y = conv_(same_padded(x, conv_.shape.kernel, conv_.shape.stride));
  }
  return rectified_ ? y.relu_() : y;
}

/// Every frame with the one before and the one behind: three taps of a convolution of frames.
at::Tensor I3dUnit::in_tiles(const at::Tensor& x) const {
  const auto places = x.permute({0, 2, 3, 4, 1});
  const auto B = places.size(0), T = places.size(1), in = places.size(4), out = conv_.bias.size(0);
  const auto padded =
      at::constant_pad_nd(places, {0, whole_registers(in) - in, 0, 0, 0, 0, 1, 1}).contiguous();
  auto result = at::empty({B, T, places.size(2), places.size(3), out}, places.options());
  for (std::int64_t b = 0; b < B; ++b) {
    auto into = result[b];
    wan::WinogradInput frames;
    for (std::int64_t tap = 0; tap < 3; ++tap) frames.frames.push_back(padded[b].narrow(0, tap, T));
    wan::winograd_convolution_made(frames, made_, conv_.bias, {}, into);
  }
  return result.permute({0, 4, 1, 2, 3});
}

at::Tensor I3dMixed::operator()(const at::Tensor& x) const {
  const auto entered = entry(x);
  return at::cat({entered.narrow(1, 0, one), three_a(entered.narrow(1, one, reduce_a)),
                  three_b(entered.narrow(1, one + reduce_a, reduce_b)),
                  pooled(same_max_pool(x, {3, 3, 3}, {1, 1, 1}))},
                 1);
}

I3d::I3d(Weights weights) {
  first_ = I3dUnit(i3d_conv(weights, "Conv3d_1a_7x7", 3, 64, 7, 2));
  second_ = I3dUnit(i3d_conv(weights, "Conv3d_2b_1x1", 64, 64, 1));
  third_ = I3dUnit(i3d_conv(weights, "Conv3d_2c_3x3", 64, 192, 3));
  for (const auto& s : kMixedShapes) {
    const auto conv = [&](const char* branch, std::int64_t in, std::int64_t out,
                          std::int64_t side) {
      return i3d_conv(weights, std::string(s.name) + branch, in, out, side);
    };
    mixed_.push_back(
        {I3dUnit(side_by_side({conv(".b0", s.in, s.one, 1), conv(".b1a", s.in, s.reduce_a, 1),
                               conv(".b2a", s.in, s.reduce_b, 1)})),
         s.one, s.reduce_a, s.reduce_b, I3dUnit(conv(".b1b", s.reduce_a, s.three_a, 3)),
         I3dUnit(conv(".b2b", s.reduce_b, s.three_b, 3)),
         I3dUnit(conv(".b3b", s.in, s.pooled, 1))});
  }
  last_ = I3dUnit(Conv(weights, "logits.conv3d", 1024, kClasses,
                       {.kernel = {1, 1, 1}, .stride = {1, 1, 1}, .padding = {0, 0, 0}}),
                  /*rectified=*/false);
  weights.finish();
}

at::Tensor I3d::trunk(const at::Tensor& clips) const {
  const auto laid_out = clips.contiguous(at::MemoryFormat::ChannelsLast3d);
  auto x = same_max_pool(first_(laid_out), {1, 3, 3}, {1, 2, 2});
  x = same_max_pool(third_(second_(x)), {1, 3, 3}, {1, 2, 2});
  for (std::size_t i = 0; i < mixed_.size(); ++i) {
    if (i == kFirstOfFour) x = same_max_pool(x, {3, 3, 3}, {2, 2, 2});
    if (i == kFirstOfFive) x = same_max_pool(x, {2, 2, 2}, {2, 2, 2});
    x = mixed_[i](x);
  }
  return x;
}

at::Tensor I3d::logits(const at::Tensor& clips) const {
  const auto [B, C, T, H, W] = dims<5>(clips, "clips [B, 3, T, H, W]");
  SVI_CHECK(C == 3 && T >= kFewest && std::min(H, W) > kSide - 32 && std::max(H, W) <= kSide,
            "I3D on clips of sizes ", clips.sizes());
  const auto pooled = at::avg_pool3d(trunk(clips), {2, 7, 7}, {1, 1, 1});  // [B, 1024, t, 1, 1]
  return last_(pooled).flatten(2).mean(2);
}

std::vector<std::string> enum_names(I3dFrames) { return {"cd_fvd", "common_metrics"}; }

at::Tensor i3d_frame(const at::Tensor& frame, I3dFrames how) {
  const auto x = levels(frame);
  const auto fitting = how == I3dFrames::cd_fvd
                           ? resized(x, I3d::kSide, I3d::kSide, {Filter::bilinear, false})
                           : short_side_and_crop(x);
  return fitting * (2.0 / 255) - 1;
}

}  // namespace svi::vision
