#include "model/wan/vae/vae_layers.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "model/wan/vae/vae_norm.hpp"
#include "svi/core/check.hpp"

namespace svi::wan {
namespace {

constexpr std::int64_t kPast = 2;  // frames that a kernel of 3 reads before the current one

/// Replaces the zeros in front of `padded` by the remembered frames, and remembers its last ones.
void exchange_past(at::Tensor& padded, at::Tensor& slot) {
  if (slot.defined()) padded.narrow(2, 0, kPast).copy_(slot);
  slot = padded.narrow(2, padded.size(2) - kPast, kPast).clone();
}

/// [B, C, T, H, W] as [B T, C, H, W]; a view of memory that is channels-last.
at::Tensor as_frames(const at::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0) * x.size(2), x.size(1), x.size(3), x.size(4)});
}

at::Tensor as_video(const at::Tensor& frames, std::int64_t batch) {
  return frames
      .view({batch, frames.size(0) / batch, frames.size(1), frames.size(2), frames.size(3)})
      .transpose(1, 2);
}

}  // namespace

Residual::Residual(std::int64_t in, std::int64_t out, const at::TensorOptions& options)
    : first_(in, out, options), second_(out, out, options) {
  if (in != out) shortcut_.emplace_back(in, out, std::vector<std::int64_t>{1, 1, 1}, options);
}

void Residual::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + "residual.0.gamma", first_.gamma);
  first_.convolution.visit(prefix + "residual.2.", visitor);
  visitor(prefix + "residual.3.gamma", second_.gamma);
  second_.convolution.visit(prefix + "residual.6.", visitor);
  for (auto& shortcut : shortcut_) shortcut.visit(prefix + "shortcut.", visitor);
}

at::Tensor Residual::forward(const at::Tensor& x, FeatureCache* cache) const {
  const auto change = second_.forward(first_.forward(x, cache), cache);
  if (shortcut_.empty()) return change + x;
  return change + shortcut_[0].run(x, {1, 1, 1}, {0, 0, 0});
}

Attention::Attention(std::int64_t channels, const at::TensorOptions& options)
    : gamma_(at::ones({channels, 1, 1}, options)),
      to_qkv_(channels, 3 * channels, {1, 1}, options),
      project_(channels, channels, {1, 1}, options) {}

void Attention::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + "norm.gamma", gamma_);
  to_qkv_.visit(prefix + "to_qkv.", visitor);
  project_.visit(prefix + "proj.", visitor);
}

at::Tensor Attention::forward(const at::Tensor& x, FeatureCache*) const {
  const auto frames = as_frames(x);  // [B T, C, H, W]
  const auto n = frames.size(0), C = frames.size(1), H = frames.size(2), W = frames.size(3);
  const auto qkv = to_qkv_.run(rms_norm(frames, gamma_), {1, 1}, {0, 0});
  const auto tokens = qkv.permute({0, 2, 3, 1}).reshape({n, 1, H * W, 3 * C}).chunk(3, -1);
  const auto mixed = at::scaled_dot_product_attention(tokens[0], tokens[1], tokens[2]);
  const auto back = mixed.reshape({n, H, W, C}).permute({0, 3, 1, 2});
  return x + as_video(project_.run(back, {1, 1}, {0, 0}), x.size(0));
}

Downsample::Downsample(std::int64_t channels, bool in_time, const at::TensorOptions& options)
    : space_(channels, channels, {3, 3}, options) {
  if (in_time) time_.emplace_back(channels, channels, std::vector<std::int64_t>{3, 1, 1}, options);
}

void Downsample::visit(const std::string& prefix, const TensorVisitor& visitor) {
  space_.visit(prefix + "resample.1.", visitor);
  for (auto& time : time_) time.visit(prefix + "time_conv.", visitor);
}

at::Tensor Downsample::forward(const at::Tensor& x, FeatureCache* cache) const {
  const auto padded = at::constant_pad_nd(as_frames(x), {0, 1, 0, 1});
  const auto y = as_video(space_.run(padded, {2, 2}, {0, 0}), x.size(0));
  if (time_.empty()) return y;
  // The first frame stays as it is; from then on each output reads the last frame of the group
  // before.
  auto* slot = cache != nullptr ? &cache->next() : nullptr;
  const bool first = slot == nullptr || !slot->defined();
  const auto group = first ? y : at::cat({*slot, y}, 2);
  if (slot != nullptr) *slot = y.narrow(2, y.size(2) - 1, 1).clone();
  if (first && group.size(2) == 1) return y;
  const auto halved = time_[0].run(group, {2, 1, 1}, {0, 0, 0});
  return first ? at::cat({y.narrow(2, 0, 1), halved}, 2) : halved;
}

Upsample::Upsample(std::int64_t channels, bool in_time, const at::TensorOptions& options)
    : space_(channels, channels / 2, {3, 3}, options) {
  if (in_time)
    time_.emplace_back(channels, 2 * channels, std::vector<std::int64_t>{3, 1, 1}, options);
}

void Upsample::visit(const std::string& prefix, const TensorVisitor& visitor) {
  space_.visit(prefix + "resample.1.", visitor);
  for (auto& time : time_) time.visit(prefix + "time_conv.", visitor);
}

at::Tensor Upsample::forward(const at::Tensor& x, FeatureCache* cache) const {
  const auto frames = as_frames(time_.empty() ? x : stretch(x, cache));
  const auto large = at::upsample_nearest2d(frames, {2 * x.size(3), 2 * x.size(4)});
  return as_video(space_.run(large, {1, 1}, {1, 1}), x.size(0));
}

/// Twice the frames, but for the very first one, which neither doubles nor is seen by the later
/// ones.
at::Tensor Upsample::stretch(const at::Tensor& x, FeatureCache* cache) const {
  auto* slot = cache != nullptr ? &cache->next() : nullptr;
  if (slot != nullptr && slot->defined()) return doubled(x, slot);
  const auto head = x.narrow(2, 0, 1);
  if (slot != nullptr) *slot = at::zeros_like(head).repeat({1, 1, kPast, 1, 1});
  if (x.size(2) == 1) return head;
  return at::cat({head, doubled(x.narrow(2, 1, x.size(2) - 1), slot)}, 2);
}

at::Tensor Upsample::doubled(const at::Tensor& x, at::Tensor* slot) const {
  auto padded = at::constant_pad_nd(x, {0, 0, 0, 0, kPast, 0});
  if (slot != nullptr) exchange_past(padded, *slot);
  const auto y = time_[0].causal(padded, 0);  // [B, 2 C, T, H, W]
  const auto B = x.size(0), C = x.size(1), T = x.size(2), H = x.size(3), W = x.size(4);
  return y.permute({0, 2, 3, 4, 1})
      .reshape({B, T, H, W, 2, C})
      .permute({0, 1, 4, 2, 3, 5})
      .reshape({B, 2 * T, H, W, C})
      .permute({0, 4, 1, 2, 3});
}

at::Tensor& FeatureCache::next() {
  if (next_ == slots_.size()) slots_.emplace_back();
  return slots_[next_++];
}

Convolution::Convolution(std::int64_t in, std::int64_t out, std::vector<std::int64_t> kernel,
                         const at::TensorOptions& options)
    : bias(at::zeros({out}, options)) {
  kernel.insert(kernel.begin(), {out, in});
  weight = at::zeros(kernel, options);
}

void Convolution::visit(const std::string& prefix, const TensorVisitor& visitor) {
  visitor(prefix + "weight", weight);
  visitor(prefix + "bias", bias);
}

at::Tensor Convolution::run(const at::Tensor& x, at::IntArrayRef stride,
                            at::IntArrayRef padding) const {
  const std::vector<std::int64_t> ones(stride.size(), 1), zeros(stride.size(), 0);
  // Where activations are bfloat16 the weights are rounded for each use and their gradients stay
  // fp32.
  const auto dtype = x.scalar_type();
  return at::convolution(x, weight.to(dtype), bias.to(dtype), stride, padding, ones, false, zeros,
                         1);
}

at::Tensor Convolution::causal(const at::Tensor& padded, std::int64_t space) const {
  return run(padded, {1, 1, 1}, {0, space, space});
}

NormConvolution::NormConvolution(std::int64_t in, std::int64_t out,
                                 const at::TensorOptions& options)
    : gamma(at::ones({in, 1, 1, 1}, options)), convolution(in, out, {3, 3, 3}, options) {}

at::Tensor NormConvolution::forward(const at::Tensor& x, FeatureCache* cache) const {
  auto padded = norm_silu_pad(x, gamma, kPast);
  if (cache != nullptr) exchange_past(padded, cache->next());
  return convolution.causal(padded, 1);
}

Layer::~Layer() = default;

at::Tensor pad_past(const at::Tensor& x, FeatureCache* cache) {
  auto padded = at::constant_pad_nd(x, {0, 0, 0, 0, kPast, 0});
  if (cache != nullptr) exchange_past(padded, cache->next());
  return padded;
}

namespace {

Layers make_middle(std::int64_t channels, const at::TensorOptions& options) {
  Layers middle;
  middle.push_back(std::make_unique<Residual>(channels, channels, options));
  middle.push_back(std::make_unique<Attention>(channels, options));
  middle.push_back(std::make_unique<Residual>(channels, channels, options));
  return middle;
}

}  // namespace

Side Side::make_encoder(const WanVaeConfig& config, const at::TensorOptions& options) {
  Layers levels;
  auto channels = config.dim;
  for (std::size_t level = 0; level < config.dim_mult.size(); ++level) {
    const auto out = config.dim * config.dim_mult[level];
    for (std::int64_t i = 0; i < config.num_res_blocks; ++i) {
      levels.push_back(std::make_unique<Residual>(std::exchange(channels, out), out, options));
    }
    if (level + 1 < config.dim_mult.size()) {
      levels.push_back(
          std::make_unique<Downsample>(channels, config.temporal_downsample[level] != 0, options));
    }
  }
  return {true, Convolution(3, config.dim, {3, 3, 3}, options), make_middle(channels, options),
          std::move(levels), NormConvolution(channels, 2 * config.z_dim, options)};
}

Side Side::make_decoder(const WanVaeConfig& config, const at::TensorOptions& options) {
  Layers levels;
  const auto widest = config.dim * config.dim_mult.back();
  auto channels = widest;
  for (std::size_t level = config.dim_mult.size(); level-- > 0;) {
    const auto out = config.dim * config.dim_mult[level];
    for (std::int64_t i = 0; i <= config.num_res_blocks; ++i) {
      levels.push_back(std::make_unique<Residual>(std::exchange(channels, out), out, options));
    }
    if (level > 0) {
      levels.push_back(std::make_unique<Upsample>(
          channels, config.temporal_downsample[level - 1] != 0, options));
      channels /= 2;
    }
  }
  return {false, Convolution(config.z_dim, widest, {3, 3, 3}, options),
          make_middle(widest, options), std::move(levels), NormConvolution(channels, 3, options)};
}

void Side::visit(const TensorVisitor& visitor) {
  const std::string prefix = encoder ? "encoder." : "decoder.";
  const auto visit_levels = [&] {
    for (std::size_t i = 0; i < levels.size(); ++i) {
      levels[i]->visit(svi::cat(prefix, encoder ? "downsamples." : "upsamples.", i, "."), visitor);
    }
  };
  input.visit(prefix + "conv1.", visitor);
  if (encoder) visit_levels();
  for (std::size_t i = 0; i < middle.size(); ++i)
    middle[i]->visit(svi::cat(prefix, "middle.", i, "."), visitor);
  if (!encoder) visit_levels();
  visitor(prefix + "head.0.gamma", head.gamma);
  head.convolution.visit(prefix + "head.2.", visitor);
}

at::Tensor Side::forward(const at::Tensor& x, FeatureCache* cache) const {
  // Channels-last throughout: the CPU's convolutions run at full speed in it, and a voxel's
  // channels lie together.
  auto y = input.causal(pad_past(x.contiguous(at::MemoryFormat::ChannelsLast3d), cache), 1);
  if (encoder) {
    for (const auto& layer : levels) y = layer->forward(y, cache);
  }
  for (const auto& layer : middle) y = layer->forward(y, cache);
  if (!encoder) {
    for (const auto& layer : levels) y = layer->forward(y, cache);
  }
  return head.forward(y, cache);
}

}  // namespace svi::wan
