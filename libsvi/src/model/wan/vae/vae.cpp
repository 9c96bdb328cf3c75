#include "svi/model/wan/vae.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <utility>

#include "model/wan/vae/vae_network.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

// Statistics of the official latents (Wan et al. 2025).
const std::vector<double> kOfficialMean = {-0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,
                                           -0.1517, 1.5508,  0.4134,  -0.0715, 0.5517,  -0.3632,
                                           -0.1922, -0.9497, 0.2503,  -0.2921};
const std::vector<double> kOfficialStd = {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708,
                                          2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579,
                                          1.6382, 1.1253, 2.8251, 1.9160};

at::Tensor statistics(const std::vector<double>& given, const std::vector<double>& official,
                      std::int64_t z_dim, double otherwise) {
  auto values = given;
  if (values.empty() && z_dim == 16) values = official;
  if (values.empty()) values.assign(static_cast<std::size_t>(z_dim), otherwise);
  return at::tensor(values, at::kFloat).view({1, z_dim, 1, 1, 1});
}

std::vector<double> statistics_of(const at::Tensor& tensor) {
  const auto flat = tensor.to(at::kCPU, at::kDouble).contiguous().flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/// What `run` emits frame by frame, in one tensor [B, C, T, H, W].
template <class Run>
at::Tensor in_order(at::IntArrayRef sizes, const Run& run) {
  auto result = at::empty(sizes, at::kFloat);
  wan::FrameMemory memory;
  std::int64_t next = 0;
  run(memory, [&](const at::Tensor& frame) { result.narrow(2, next++, 1).copy_(frame); });
  return result;
}

}  // namespace

WanVae::Network::Network(WanVaeConfig settings, const at::TensorOptions& options)
    : config(std::move(settings)),
      encoder(wan::Side::make_encoder(config, options)),
      decoder(wan::Side::make_decoder(config, options)),
      to_moments(2 * config.z_dim, 2 * config.z_dim, {1, 1, 1}, options),
      from_latent(config.z_dim, config.z_dim, {1, 1, 1}, options),
      mean(statistics(config.latent_mean, kOfficialMean, config.z_dim, 0)),
      std(statistics(config.latent_std, kOfficialStd, config.z_dim, 1)) {}

void WanVae::Network::visit(const wan::TensorVisitor& visitor) {
  encoder.visit(visitor);
  to_moments.visit("conv1.", visitor);
  from_latent.visit("conv2.", visitor);
  decoder.visit(visitor);
}

at::Tensor WanVae::Network::moments(const at::Tensor& video, wan::FeatureCache* cache) const {
  return to_moments.run(encoder.forward(video.to(activations), cache), {1, 1, 1}, {0, 0, 0})
      .to(dtype());
}

at::Tensor WanVae::Network::pixels(const at::Tensor& latent, wan::FeatureCache* cache) const {
  const auto raw = denormalise(latent).to(activations);
  return decoder.forward(from_latent.run(raw, {1, 1, 1}, {0, 0, 0}), cache).to(dtype());
}

at::Tensor WanVae::Network::moments_by_groups(const at::Tensor& video) const {
  wan::FeatureCache cache;
  std::vector<at::Tensor> parts;
  for (std::int64_t t = 0; t < video.size(2);) {
    const auto count = t == 0 ? 1 : config.temporal_stride();
    cache.rewind();
    parts.push_back(moments(video.narrow(2, t, count), &cache));
    t += count;
  }
  return at::cat(parts, 2);
}

at::Tensor WanVae::Network::pixels_by_groups(const at::Tensor& latent) const {
  wan::FeatureCache cache;
  std::vector<at::Tensor> parts;
  for (std::int64_t f = 0; f < latent.size(2); ++f) {
    cache.rewind();
    parts.push_back(pixels(latent.narrow(2, f, 1), &cache));
  }
  return at::cat(parts, 2);
}

bool WanVae::Network::by_frames(const at::Tensor& input) const {
  if (!input.is_cpu() || device() != at::kCPU || dtype() != at::kFloat ||
      activations != at::kFloat || input.scalar_type() != at::kFloat || config.dim % 32 != 0 ||
      config.dim < 64) {
    return false;
  }
  if (!at::GradMode::is_enabled()) return true;
  bool wanted = input.requires_grad();
  const_cast<Network*>(this)->visit(
      [&](const std::string&, at::Tensor& tensor) { wanted |= tensor.requires_grad(); });
  return !wanted;
}

void WanVae::Network::push_video(const at::Tensor& video, wan::FrameMemory& memory,
                                 const wan::FrameSink& emit) const {
  const at::NoGradGuard guard;
  for (std::int64_t t = 0; t < video.size(2); ++t) {
    const auto frame = video.select(2, t).permute({0, 2, 3, 1}).contiguous();
    encoder.push(frame, memory, [&](const at::Tensor& moments) {
      emit(to_moments.run(wan::as_volume(moments), {1, 1, 1}, {0, 0, 0}));
    });
  }
}

void WanVae::Network::push_latent(const at::Tensor& latent, wan::FrameMemory& memory,
                                  const wan::FrameSink& emit) const {
  const at::NoGradGuard guard;
  for (std::int64_t f = 0; f < latent.size(2); ++f) {
    const auto raw = from_latent.run(denormalise(latent.narrow(2, f, 1)), {1, 1, 1}, {0, 0, 0});
    decoder.push(wan::as_frame(raw).contiguous(), memory,
                 [&](const at::Tensor& pixels) { emit(wan::as_volume(pixels)); });
  }
}

at::Tensor WanVae::Network::normalise(const at::Tensor& raw) const {
  return (raw - mean.to(raw.options())) / std.to(raw.options());
}

at::Tensor WanVae::Network::denormalise(const at::Tensor& latent) const {
  return latent * std.to(latent.options()) + mean.to(latent.options());
}

WanVae::WanVae(WanVaeConfig config, at::Device device) {
  const auto problem = config.problem();
  if (!problem.empty()) raise<ConfigError>("Wan VAE: ", problem);
  network_ =
      std::make_shared<Network>(std::move(config), at::TensorOptions(device).dtype(at::kFloat));
}
WanVae::WanVae(WanVae&&) noexcept = default;
WanVae& WanVae::operator=(WanVae&&) noexcept = default;
WanVae::~WanVae() = default;

WanVae WanVae::open(const std::string& path, const std::string& copy) {
  const auto weights = open_official(path, WeightKind::vae, copy).tensors;
  try {
    const auto config = infer(weights);
    // Names and shapes first: sizes that a damaged file claims must not be allocated.
    NamedTensors own;
    for (const auto& named : weights) {
      if (named.first != "latent_mean" && named.first != "latent_std") own.push_back(named);
    }
    const auto report = match(WanVae(config, at::Device(at::kMeta)).parameters(), own);
    if (!report.complete()) raise<IoError>(path, ": not the weights of a Wan VAE\n", report.text());
    WanVae vae(config);
    vae.load(weights, path);
    return vae;
  } catch (const IoError& error) {
    const std::string text = error.what();
    if (text.find(path) != std::string::npos) throw;
    raise<IoError>(path, ": ", text);
  }
}

const WanVaeConfig& WanVae::config() const { return network_->config; }

void WanVae::initialise(std::uint64_t seed) {
  const at::NoGradGuard guard;
  std::uint32_t stream = 0;
  network_->visit([&](const std::string& name, at::Tensor& tensor) {
    const RandomKey key{seed, Purpose::weight_init, stream++, 0};
    if (name.ends_with("gamma")) {
      tensor.fill_(1);
    } else if (tensor.dim() == 1 || name.ends_with("proj.weight")) {
      tensor.zero_();
    } else {
      auto values = at::empty(tensor.sizes(), at::kFloat);
      fill_uniform(key, values.mutable_data_ptr<float>(), values.numel());
      const auto fan_in = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
      tensor.copy_(values.mul_(2).sub_(1).mul_(std::sqrt(3 / fan_in)));
    }
  });
}

NamedTensors WanVae::parameters() const {
  NamedTensors parameters;
  network_->visit(
      [&](const std::string& name, at::Tensor& tensor) { parameters.emplace_back(name, tensor); });
  return parameters;
}

LoadReport WanVae::load(const NamedTensors& weights, const std::string& origin) {
  NamedTensors own;
  at::Tensor mean, std;
  for (const auto& [name, tensor] : weights) {
    if (name == "latent_mean") {
      mean = tensor;
    } else if (name == "latent_std") {
      std = tensor;
    } else {
      own.emplace_back(name, tensor);
    }
  }
  if (mean.defined() != std.defined()) {
    raise<IoError>(origin, ": has only one of latent_mean and latent_std");
  }
  for (const auto& tensor : {mean, std}) {
    if (tensor.defined() && tensor.numel() != config().z_dim) {
      raise<IoError>(origin, ": latent_mean and latent_std need ", config().z_dim, " values, have ",
                     tensor.numel());
    }
  }
  const at::NoGradGuard guard;
  auto report = load_strict(parameters(), own, origin);
  if (mean.defined()) set_latent_statistics(mean, std);
  return report;
}

NamedTensors WanVae::state() const {
  auto tensors = parameters();
  for (auto& [name, tensor] : tensors) tensor = tensor.detach();
  tensors.emplace_back("latent_mean", latent_mean());
  tensors.emplace_back("latent_std", latent_std());
  return tensors;
}

void WanVae::require_grad(bool enabled) {
  network_->visit([&](const std::string&, at::Tensor& tensor) { tensor.requires_grad_(enabled); });
}

void WanVae::to(at::Device device, at::ScalarType dtype) {
  network_->activations = dtype;
  network_->visit([&](const std::string&, at::Tensor& tensor) {
    tensor = tensor.detach().to(device, dtype).requires_grad_(tensor.requires_grad());
  });
}

void WanVae::set_activations(at::ScalarType dtype) { network_->activations = dtype; }

at::Device WanVae::device() const { return network_->to_moments.bias.device(); }
at::ScalarType WanVae::dtype() const { return network_->to_moments.bias.scalar_type(); }

std::int64_t WanVae::latent_frames(std::int64_t pixel_frames) const {
  const auto stride = config().temporal_stride();
  if (pixel_frames >= 1 && (pixel_frames - 1) % stride == 0) return (pixel_frames - 1) / stride + 1;
  const auto below = std::max<std::int64_t>(pixel_frames - 1, 0) / stride * stride + 1;
  if (pixel_frames < 1)
    raise("a video of ", pixel_frames, " frames cannot be encoded; the shortest has 1");
  raise("a video of ", pixel_frames,
        " frames cannot be encoded: the number must be 1 more than a multiple of ", stride,
        "; the nearest are ", below, " and ", below + stride);
}

std::int64_t WanVae::pixel_frames(std::int64_t latent_frames) const {
  SVI_CHECK(latent_frames >= 1, "latent frames: ", latent_frames);
  return (latent_frames - 1) * config().temporal_stride() + 1;
}

void WanVae::set_latent_statistics(const at::Tensor& mean, const at::Tensor& std) {
  SVI_CHECK(mean.numel() == config().z_dim && std.numel() == config().z_dim,
            "latent statistics of ", mean.numel(), " and ", std.numel(), " values for z_dim ",
            config().z_dim);
  SVI_CHECK(at::isfinite(mean).all().item<bool>() && at::gt(std, 0).all().item<bool>(),
            "latent statistics must be finite, the deviations above 0");
  const auto shaped = [this](const at::Tensor& values) {
    return values.detach()
        .to(at::kCPU, at::kFloat)
        .contiguous()
        .view({1, config().z_dim, 1, 1, 1})
        .clone();
  };
  network_->mean = shaped(mean);
  network_->std = shaped(std);
  network_->config.latent_mean = statistics_of(mean);
  network_->config.latent_std = statistics_of(std);
}

at::Tensor WanVae::latent_mean() const { return network_->mean.flatten(); }
at::Tensor WanVae::latent_std() const { return network_->std.flatten(); }
at::Tensor WanVae::normalise(const at::Tensor& raw) const { return network_->normalise(raw); }
at::Tensor WanVae::denormalise(const at::Tensor& latent) const {
  return network_->denormalise(latent);
}

at::Tensor WanVae::encode(const at::Tensor& video) const {
  return normalise(encode_moments(video).first);
}

std::pair<at::Tensor, at::Tensor> WanVae::encode_moments(const at::Tensor& video) const {
  const auto [B, C, T, H, W] = dims<5>(video, "video [B, 3, T, H, W]");
  const auto stride = config().spatial_stride();
  SVI_CHECK(C == 3 && B >= 1, "expected video [B, 3, T, H, W], got ", video.sizes());
  SVI_CHECK(H % stride == 0 && W % stride == 0 && H > 0 && W > 0,
            "height and width must be multiples of ", stride, ", got ", H, " x ", W);
  const auto F = latent_frames(T);
  at::Tensor both;
  if (network_->by_frames(video)) {
    both = in_order({B, 2 * config().z_dim, F, H / stride, W / stride},
                    [&](wan::FrameMemory& memory, const wan::FrameSink& emit) {
                      network_->push_video(video, memory, emit);
                    });
  } else if (!video.is_cpu() && !at::GradMode::is_enabled()) {
    // All frames of an official clip at once would fill a GPU of 80 GB.
    both = network_->moments_by_groups(video);
  } else {
    both = network_->moments(video, nullptr);
  }
  const auto moments = both.chunk(2, 1);
  return {moments[0], moments[1]};
}

at::Tensor WanVae::decode(const at::Tensor& latent) const {
  const auto [B, z, F, h, w] = dims<5>(latent, "latent [B, z, F, h, w]");
  SVI_CHECK(z == config().z_dim && B >= 1 && F >= 1 && h >= 1 && w >= 1, "expected latent [B, ",
            config().z_dim, ", F, h, w], got ", latent.sizes());
  if (!network_->by_frames(latent)) {
    const bool on_cpu = latent.is_cpu() || at::GradMode::is_enabled();
    return on_cpu ? network_->pixels(latent, nullptr) : network_->pixels_by_groups(latent);
  }
  const auto stride = config().spatial_stride();
  return in_order({B, 3, pixel_frames(F), stride * h, stride * w},
                  [&](wan::FrameMemory& memory, const wan::FrameSink& emit) {
                    network_->push_latent(latent, memory, emit);
                  });
}

}  // namespace svi
