#include "svi/model/critic.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr std::int64_t kLargest = 1024;                        // width and features
constexpr std::array<std::int64_t, 4> kGrowth = {1, 2, 4, 6};  // channels of the stages, in widths
constexpr double kMiddle = (kCriticFloor + kCriticCeiling) / 2, kUnit = 10;  // dB
constexpr double kFaintest = 1e-3;  // mean activation below which nothing is told apart

struct Shape {
  std::string name;
  std::vector<std::int64_t> sizes;
};

/// The stem at full size; stages that halve the picture, then refine it; features; score.
std::vector<Shape> shapes(const CriticConfig& config) {
  std::vector<Shape> all;
  const auto layer = [&](const std::string& name, std::vector<std::int64_t> sizes) {
    const auto out = sizes.front();
    all.push_back({name + ".weight", std::move(sizes)});
    all.push_back({name + ".bias", {out}});
  };
  layer("stem", {config.width, 3, 3, 3});
  std::int64_t joined = config.width;
  for (std::size_t i = 1; i < kGrowth.size(); ++i) {
    const auto in = config.width * kGrowth[i - 1], out = config.width * kGrowth[i];
    layer(cat("stages.", i, ".down"), {out, in, 3, 3});
    layer(cat("stages.", i, ".refine"), {out, out, 3, 3});
    joined += out;
  }
  layer("features", {config.features, 2 * joined});
  layer("score", {1, config.features});
  return all;
}

std::int64_t numel(const std::vector<std::int64_t>& sizes) {
  std::int64_t count = 1;
  for (const auto size : sizes) count *= size;
  return count;
}

}  // namespace

void CriticConfig::describe(OptionVisitor& visit) {
  visit(
      width,
      {.key = "width",
       .help = "channels at full size; half, quarter and eighth size have 2, 4 and 6 times as many",
       .unit = "channels",
       .min = 1,
       .max = kLargest});
  visit(features, {.key = "features",
                   .help = "features D of a frame: the critic computes the quality from them, and "
                           "svi compares sets of frames by them",
                   .min = 1,
                   .max = kLargest});
}

Critic::Critic(CriticConfig config, at::Device device) : config_(config) {
  for (const auto size : {config.width, config.features}) {
    if (size < 1 || size > kLargest)
      raise<ConfigError>("critic: width and features must be 1 .. ", kLargest, ", got ", size);
  }
  std::int64_t total = 0;
  const auto all = shapes(config);
  for (const auto& shape : all) total += numel(shape.sizes);
  flat_ = at::zeros({total}, at::TensorOptions(device).dtype(at::kFloat));
  std::int64_t place = 0;
  for (const auto& shape : all) {
    const auto count = numel(shape.sizes);
    parameters_.emplace_back(shape.name, flat_.narrow(0, place, count).view(shape.sizes));
    place += count;
  }
}

CriticConfig Critic::infer(const NamedTensors& weights) {
  CriticConfig config{0, 0};
  for (const auto& [name, tensor] : weights) {
    if (name == "stem.weight" && tensor.dim() == 4) config.width = tensor.size(0);
    if (name == "features.weight" && tensor.dim() == 2) config.features = tensor.size(0);
  }
  for (const auto size : {config.width, config.features}) {
    if (size < 1 || size > kLargest) {
      raise<IoError>("not the weights of a critic: no stem.weight [1 .. ", kLargest,
                     ", 3, 3, 3] or no features.weight [1 .. ", kLargest, ", channels]");
    }
  }
  return config;
}

Critic Critic::open(const std::string& path) {
  const auto weights = SafetensorsFile::open(path).load_all();
  CriticConfig config;
  try {
    config = infer(weights);
  } catch (const IoError& error) {
    raise<IoError>(path, ": ", error.what());
  }
  // Names and shapes first: sizes that a damaged file claims must not be allocated.
  const auto report = match(Critic(config, at::Device(at::kMeta)).parameters(), weights);
  if (!report.complete()) raise<IoError>(path, ": not the weights of a critic\n", report.text());
  Critic critic(config);
  critic.load(weights, path);
  return critic;
}

void Critic::initialise(std::uint64_t seed) {
  const c10::NoGradGuard no_gradients;
  std::uint32_t stream = 0;
  for (auto& [name, tensor] : parameters_) {
    const RandomKey key{seed, Purpose::weight_init, stream++, 0};
    if (tensor.dim() == 1) {
      tensor.zero_();
      continue;
    }
    auto values = at::empty(tensor.sizes(), at::kFloat);
    fill_normal(key, values.mutable_data_ptr<float>(), values.numel());
    // He et al. 2015: keeps the size of signals through rectifiers.
    const auto fan_in = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
    tensor.copy_(values.mul_(std::sqrt(2 / fan_in)));
  }
}

void Critic::require_grad(bool enabled) {
  for (auto& [name, tensor] : parameters_) {
    tensor = tensor.detach();  // leaves, still of one storage
    tensor.requires_grad_(enabled);
  }
}

LoadReport Critic::load(const NamedTensors& weights, const std::string& origin) {
  return load_strict(parameters_, weights, origin);
}

CriticView Critic::look(const at::Tensor& frames) const {
  const auto [B, C, H, W] = dims<4>(frames, "frames [B, 3, H, W]");
  SVI_CHECK(C == 3 && H >= 8 && W >= 8 && frames.scalar_type() == at::kFloat,
            "a critic looks at fp32 frames [B, 3, H, W], H and W >= 8, got ", frames.sizes(), " ",
            frames.scalar_type());
  std::size_t next = 0;
  const auto take = [&]() -> const at::Tensor& { return parameters_[next++].second; };
  const auto convolve = [&](const at::Tensor& x, std::int64_t stride) {
    const auto &weight = take(), &bias = take();
    return at::conv2d(x, weight, bias, {stride, stride}, {1, 1});
  };
  // Decibels are logarithms, over three orders of magnitude: both scales go on.
  const auto mean = [](const at::Tensor& x) {
    const auto level = x.mean(at::IntArrayRef{2, 3});  // [B, channels], >= 0
    return at::cat({level, (level + kFaintest).log()}, 1);
  };
  auto x = at::relu(convolve(frames * 2 - 1, 1));
  std::vector<at::Tensor> means = {mean(x)};
  for (std::size_t i = 1; i < kGrowth.size(); ++i) {
    x = at::relu(convolve(x, 2));
    x = x + at::relu(convolve(x, 1));
    means.push_back(mean(x));
  }
  CriticView view;
  const auto &to_features = take(), &features_bias = take();
  view.features = at::linear(at::cat(means, 1), to_features, features_bias);
  const auto &to_score = take(), &score_bias = take();
  view.psnr =
      at::linear(at::relu(view.features), to_score, score_bias).squeeze(1) * kUnit + kMiddle;
  return view;
}

}  // namespace svi
