#include "vision/flow/raft.hpp"

#include <ATen/ATen.h>

#include <array>
#include <string_view>
#include <utility>

#include "svi/core/check.hpp"
#include "svi/core/text.hpp"
#include "vision/flow/warp.hpp"
#include "vision/preprocess.hpp"

namespace svi::vision {
namespace {

constexpr std::int64_t kHidden = 128, kContext = 128, kMotion = 128;  // channels
constexpr std::int64_t kShrink = 8;                                   // features to pixels
constexpr std::int64_t kLevels = 4, kRadius = 4;                      // of the correlation

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

/// Kernels as convolutions over channels-last frames read them.
Conv laid_out(Conv conv) {
  conv.weight = channels_last(conv.weight);
  return conv;
}

Conv raft_conv(Weights& weights, const std::string& name, std::int64_t in, std::int64_t out,
               std::vector<std::int64_t> kernel, std::int64_t stride = 1) {
  std::vector<std::int64_t> padding;
  for (const auto side : kernel) padding.push_back(side / 2);
  return laid_out(Conv(weights, name, in, out,
                       {.kernel = std::move(kernel), .stride = {stride}, .padding = padding}));
}

/// Parts of names of torchvision's raft_large and what the official file calls them, in the order
/// in which they are replaced.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kTorchvisionNames = {{
    {"feature_encoder.", "fnet."},
    {"context_encoder.", "cnet."},
    {"net.convnormrelu.0.", "net.conv1."},
    {"net.convnormrelu.1.", "net.norm1."},
    {"net.conv.", "net.conv2."},
    {".convnormrelu1.0.", ".conv1."},
    {".convnormrelu1.1.", ".norm1."},
    {".convnormrelu2.0.", ".conv2."},
    {".convnormrelu2.1.", ".norm2."},
    {"motion_encoder.convcorr1.0.", "encoder.convc1."},
    {"motion_encoder.convcorr2.0.", "encoder.convc2."},
    {"motion_encoder.convflow1.0.", "encoder.convf1."},
    {"motion_encoder.convflow2.0.", "encoder.convf2."},
    {"motion_encoder.conv.0.", "encoder.conv."},
    {"recurrent_block.convgru1.conv", "gru.1conv"},
    {"recurrent_block.convgru2.conv", "gru.2conv"},
    {"mask_predictor.convrelu.0.", "update_block.mask.0."},
    {"mask_predictor.conv.", "update_block.mask.2."},
}};

/// The official name of a tensor of torchvision's.
std::string name_of_torchvision(const std::string& given) {
  auto name = given;
  for (const auto& [theirs, official] : kTorchvisionNames) {
    const auto at = name.find(theirs);
    if (at != std::string::npos) name.replace(at, theirs.size(), official);
  }
  const auto gru = name.find("gru.");  // gru.1convz.weight is gru.convz1.weight
  if (gru != std::string::npos)
    name =
        name.substr(0, gru + 4) + name.substr(gru + 5, 5) + name[gru + 4] + name.substr(gru + 10);
  return name;
}

/// The official file: names without "module.", and each batch norm of a strided shortcut once,
/// which it holds as norm3 and as downsample.1.
std::string plain_raft_name(const std::string& name) {
  if (name.find(".norm3.") != std::string::npos) return "";
  return name.starts_with("module.") ? name.substr(7) : name;
}

/// Joins kernels of one shape that read the same input, so that they run as one.
Conv joined(const Conv& a, const Conv& b) {
  Conv both = a;
  both.weight = at::cat({a.weight, b.weight});
  both.bias = at::cat({a.bias, b.bias});
  return both;
}

/// The part of a convolution that reads these input channels, without the bias.
Conv reading(const Conv& conv, std::vector<at::Tensor> channels) {
  Conv part = conv;
  part.weight = at::cat(std::move(channels), 1);
  part.bias = at::Tensor();
  return laid_out(std::move(part));
}

/// Of a convolution over hidden state, context and motion: what reads the context, with the bias.
Conv reading_context(const Conv& conv) {
  auto part = reading(conv, {conv.weight.narrow(1, kHidden, kContext)});
  part.bias = conv.bias;
  return part;
}

/// And what reads the others.
Conv reading_moving(const Conv& conv) {
  return reading(conv, {conv.weight.narrow(1, 0, kHidden),
                        conv.weight.narrow(1, kHidden + kContext, kMotion)});
}

}  // namespace

RaftEncoder::RaftEncoder(Weights& weights, const std::string& name, Norm norm) : norm_(norm) {
  const auto normed_conv = [&](const std::string& conv, const std::string& following,
                               std::int64_t in, std::int64_t out, std::int64_t kernel,
                               std::int64_t stride) {
    auto layer = raft_conv(weights, cat(name, ".", conv), in, out, {kernel, kernel}, stride);
    if (norm_ == Norm::instance) return layer;
    return laid_out(folded(std::move(layer), BatchNorm(weights, cat(name, ".", following), out)));
  };
  stem_ = normed_conv("conv1", "norm1", 3, 64, 7, 2);
  std::int64_t in = 64;
  for (const std::int64_t stage : {1, 2, 3}) {
    const std::int64_t out = stage == 1 ? 64 : stage == 2 ? 96 : 128;
    for (const std::int64_t i : {0, 1}) {
      const auto prefix = cat("layer", stage, ".", i, ".");
      const std::int64_t stride = in == out ? 1 : 2;
      Block block;
      block.first = FastConv(normed_conv(prefix + "conv1", prefix + "norm1", in, out, 3, stride));
      block.second = FastConv(normed_conv(prefix + "conv2", prefix + "norm2", out, out, 3, 1));
      if (stride != 1)
        block.shortcut =
            normed_conv(prefix + "downsample.0", prefix + "downsample.1", in, out, 1, 2);
      blocks_.push_back(std::move(block));
      in = out;
    }
  }
  last_ = raft_conv(weights, name + ".conv2", 128, 256, {1, 1});
}

/// Norm and ReLU; batch norm is in the convolutions.
at::Tensor RaftEncoder::normed(at::Tensor x, bool linear) const {
  if (norm_ == Norm::instance) return normed_over_places(std::move(x), linear);
  return linear ? x : x.relu_();
}

at::Tensor RaftEncoder::operator()(const at::Tensor& image) const {
  auto x = normed(stem_(channels_last(image)));
  for (const auto& block : blocks_) {
    auto y = normed(block.first(x));
    y = normed(block.second(y));
    if (block.shortcut.weight.defined()) x = normed(block.shortcut(x), /*linear=*/true);
    x = y.add_(x).relu_();
  }
  return last_(x);
}

RaftGru::RaftGru(Weights& weights, const std::string& name, int number) {
  const auto conv = [&](const char* part) {
    const std::vector<std::int64_t> kernel =
        number == 1 ? std::vector<std::int64_t>{1, 5} : std::vector<std::int64_t>{5, 1};
    return raft_conv(weights, cat(name, ".conv", part, number), kHidden + kContext + kMotion,
                     kHidden, kernel);
  };
  const auto z = conv("z"), r = conv("r"), q = conv("q");
  const auto gates = joined(z, r);
  gates_context_ = reading_context(gates);
  gates_ = LineConv(reading_moving(gates));
  candidate_context_ = reading_context(q);
  candidate_ = LineConv(reading_moving(q));
}

RaftGru::Fixed RaftGru::fixed(const at::Tensor& context) const {
  return {gates_context_(context), candidate_context_(context)};
}

at::Tensor RaftGru::operator()(const at::Tensor& hidden, const at::Tensor& motion,
                               const Fixed& fixed) const {
  const auto gates = gates_(at::cat({hidden, motion}, 1), fixed.gates).sigmoid_();
  const auto z = gates.narrow(1, 0, kHidden), r = gates.narrow(1, kHidden, kHidden);
  const auto q = candidate_(at::cat({r * hidden, motion}, 1), fixed.candidate).tanh_();
  return at::lerp(hidden, q, z);  // (1 - z) h + z q
}

Raft::Raft(Weights weights) : device_(weights.device()) {
  const bool from_torchvision = weights.has("feature_encoder.convnormrelu.0.weight");
  weights.rename(from_torchvision ? name_of_torchvision : plain_raft_name);
  features_ = RaftEncoder(weights, "fnet", RaftEncoder::Norm::instance);
  context_ = RaftEncoder(weights, "cnet", RaftEncoder::Norm::batch);
  const std::string update = "update_block.", encoder = update + "encoder.";
  constexpr auto kSamples = kLevels * (2 * kRadius + 1) * (2 * kRadius + 1);
  correlation1_ = raft_conv(weights, encoder + "convc1", kSamples, 256, {1, 1});
  correlation2_ = FastConv(raft_conv(weights, encoder + "convc2", 256, 192, {3, 3}));
  flow1_ = raft_conv(weights, encoder + "convf1", 2, 128, {7, 7});
  flow2_ = FastConv(raft_conv(weights, encoder + "convf2", 128, 64, {3, 3}));
  motion_ = FastConv(raft_conv(weights, encoder + "conv", 192 + 64, kMotion - 2, {3, 3}));
  across_ = RaftGru(weights, update + "gru", 1);
  down_ = RaftGru(weights, update + "gru", 2);
  head1_ = FastConv(raft_conv(weights, update + "flow_head.conv1", kHidden, 256, {3, 3}));
  head2_ = raft_conv(weights, update + "flow_head.conv2", 256, 2, {3, 3});
  mask1_ = raft_conv(weights, update + "mask.0", kHidden, 256, {3, 3});
  mask2_ = raft_conv(weights, update + "mask.2", 256, 9 * kShrink * kShrink, {1, 1});
  weights.finish();
}

Raft::Frame Raft::look(const at::Tensor& frame) const {
  const EdgePadding padding(frame.size(1), frame.size(2), kShrink);
  const auto image =
      padding((levels(frame.unsqueeze(0).to(device_)) / 255).mul_(2).sub_(1).contiguous());
  return {image, feature_pyramid(features_(image), kLevels)};
}

at::Tensor Raft::motion_of(const at::Tensor& correlation, const at::Tensor& flow) const {
  const auto alike = correlation2_(correlation1_(correlation).relu_()).relu_();
  const auto moved = flow2_(flow1_(flow).relu_()).relu_();
  return at::cat({motion_(at::cat({alike, moved}, 1)).relu_(), flow}, 1);
}

at::Tensor Raft::flow(const Frame& from, const Frame& to, std::int64_t iterations) const {
  SVI_CHECK(from.image.sizes() == to.image.sizes(), "flow from ", from.image.sizes(), " to ",
            to.image.sizes());
  const auto context = context_(from.image);
  auto hidden = channels_last(context.narrow(1, 0, kHidden)).tanh();
  const auto input = channels_last(context.narrow(1, kHidden, kContext)).relu();
  const auto across = across_.fixed(input), down = down_.fixed(input);
  Correlation correlation(from.features, to.features, kRadius);
  const auto start = channels_last(pixel_grid(hidden.size(2), hidden.size(3), hidden.options()));
  auto place = start;
  for (std::int64_t i = 0; i < iterations; ++i) {
    const auto motion = motion_of(correlation.lookup(place), place - start);
    hidden = across_(hidden, motion, across);
    hidden = down_(hidden, motion, down);
    place = place + head2_(head1_(hidden).relu_());
  }
  return enlarged(place - start, hidden);
}

/// Each pixel is a mean of the nine places around, whose weights the network says.
at::Tensor Raft::enlarged(const at::Tensor& flow, const at::Tensor& hidden) const {
  const auto h = flow.size(2), w = flow.size(3);
  const auto mask = mask2_(mask1_(hidden).relu_()).contiguous().mul_(0.25);
  const auto shares = mask.view({9, kShrink, kShrink, h, w}).softmax(0);
  const auto padded = at::constant_pad_nd(flow.squeeze(0) * kShrink, {1, 1, 1, 1});  // of zeros
  auto large = at::zeros({2, kShrink, kShrink, h, w}, flow.options());
  for (std::int64_t k = 0; k < 9; ++k) {
    const auto neighbour = padded.narrow(1, k / 3, h).narrow(2, k % 3, w);
    large.addcmul_(shares[k].unsqueeze(0), neighbour.view({2, 1, 1, h, w}));
  }
  return large.permute({0, 3, 1, 4, 2}).reshape({2, kShrink * h, kShrink * w});
}

}  // namespace svi::vision
