#include "svi/encoder/wav2vec2.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <map>
#include <optional>

#include "encoder/weight_table.hpp"
#include "svi/core/check.hpp"
#include "svi/model/nests.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr const char* kPositions = "encoder.pos_conv_embed.conv.";

WeightTable::Shapes wav2vec2_shapes(const Wav2Vec2Config& c) {
  WeightTable::Shapes shapes;
  const auto pair = [&](const std::string& name, std::vector<std::int64_t> weight) {
    shapes.emplace_back(name + ".bias", std::vector{weight[0]});
    shapes.emplace_back(name + ".weight", std::move(weight));
  };
  std::int64_t in = 1;
  for (std::size_t i = 0; i < c.conv_dim.size(); ++i) {
    const auto layer = cat("feature_extractor.conv_layers.", i, ".");
    shapes.emplace_back(layer + "conv.weight", std::vector{c.conv_dim[i], in, c.conv_kernel[i]});
    if (i == 0) pair(layer + "layer_norm", {c.conv_dim[i]});
    in = c.conv_dim[i];
  }
  pair("feature_projection.layer_norm", {in});
  pair("feature_projection.projection", {c.dim, in});
  const std::string positions = kPositions;
  shapes.emplace_back(positions + "bias", std::vector{c.dim});
  shapes.emplace_back(positions + "weight_g", std::vector<std::int64_t>{1, 1, c.position_kernel});
  shapes.emplace_back(positions + "weight_v",
                      std::vector{c.dim, c.dim / c.position_groups, c.position_kernel});
  pair("encoder.layer_norm", {c.dim});
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const auto block = cat("encoder.layers.", i, ".");
    for (const auto* part : {"k_proj", "v_proj", "q_proj", "out_proj"})
      pair(cat(block, "attention.", part), {c.dim, c.dim});
    pair(block + "layer_norm", {c.dim});
    pair(block + "feed_forward.intermediate_dense", {c.ffn_dim, c.dim});
    pair(block + "feed_forward.output_dense", {c.dim, c.ffn_dim});
    pair(block + "final_layer_norm", {c.dim});
  }
  return shapes;
}

std::string wav2vec2_problem(const Wav2Vec2Config& c) {
  if (c.conv_dim.empty() || c.conv_dim.size() != c.conv_kernel.size() ||
      c.conv_dim.size() != c.conv_stride.size())
    return "wav2vec2: convolutions need a width, a kernel and a stride each";
  if (c.heads < 1 || c.dim % c.heads != 0 || c.position_groups < 1 ||
      c.dim % c.position_groups != 0)
    return cat("wav2vec2: dim ", c.dim, " must be a multiple of heads and of position_groups");
  return {};
}

/// The model's name of a tensor of a file; nothing for what the model has no use for.
std::optional<std::string> own_name(const std::string& in_file) {
  auto name = without_wrappers(in_file);
  for (auto dot = name.find('.'); dot != std::string::npos && is_nest(name.substr(0, dot));
       dot = name.find('.'))
    name.erase(0, dot + 1);
  if (name.starts_with("wav2vec2.")) name = name.substr(9);
  for (const auto* start : {"quantizer.", "project_hid.", "project_q.", "lm_head."}) {
    if (name.starts_with(start)) return std::nullopt;
  }
  if (name == "masked_spec_embed") return std::nullopt;
  const std::string positions = kPositions;
  if (name == positions + "parametrizations.weight.original0") return positions + "weight_g";
  if (name == positions + "parametrizations.weight.original1") return positions + "weight_v";
  return name;
}

}  // namespace

struct Wav2Vec2::Parts {
  explicit Parts(const Wav2Vec2Config& sizes) : config(sizes), weights(wav2vec2_shapes(sizes)) {}
  Wav2Vec2Config config;
  WeightTable weights;

  at::Tensor at(const std::string& name) const { return weights[name].to(at::kFloat); }
  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    return at::linear(x, at(name + ".weight"), at(name + ".bias"));
  }
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    return at::layer_norm(x, {x.size(-1)}, at(name + ".weight"), at(name + ".bias"), config.eps);
  }

  /// [B, N] -> [B, channels, T]
  at::Tensor features(const at::Tensor& samples) const {
    auto x = samples.unsqueeze(1);
    for (std::size_t i = 0; i < config.conv_dim.size(); ++i) {
      const auto layer = cat("feature_extractor.conv_layers.", i, ".");
      x = at::conv1d(x, at(layer + "conv.weight"), {}, config.conv_stride[i]);
      if (i == 0)
        x = at::group_norm(x, config.conv_dim[0], at(layer + "layer_norm.weight"),
                           at(layer + "layer_norm.bias"), config.eps);
      x = at::gelu(x);
    }
    return x;
  }

  /// [B, T, dim] -> what the neighbours of each row add to it, [B, T, dim]
  at::Tensor positions(const at::Tensor& x) const {
    const std::string name = kPositions;
    const auto v = at(name + "weight_v"), g = at(name + "weight_g");
    const auto weight = v * (g / v.square().sum(at::IntArrayRef{0, 1}, /*keepdim=*/true).sqrt());
    auto y = at::conv1d(x.transpose(1, 2), weight, at(name + "bias"), 1, config.position_kernel / 2,
                        1, config.position_groups);
    if (config.position_kernel % 2 == 0) y = y.narrow(2, 0, y.size(2) - 1);
    return at::gelu(y).transpose(1, 2);
  }

  at::Tensor attention(const at::Tensor& x, const std::string& name) const {
    const auto B = x.size(0), T = x.size(1);
    const auto heads = [&](const char* part) {
      return linear(x, name + part).view({B, T, config.heads, -1}).transpose(1, 2);
    };
    const auto mixed =
        at::scaled_dot_product_attention(heads(".q_proj"), heads(".k_proj"), heads(".v_proj"));
    return linear(mixed.transpose(1, 2).reshape({B, T, config.dim}), name + ".out_proj");
  }
};

Wav2Vec2::Wav2Vec2(const Wav2Vec2Config& config) {
  if (const auto text = wav2vec2_problem(config); !text.empty()) raise<ConfigError>(text);
  parts_ = std::make_unique<Parts>(config);
}
Wav2Vec2::Wav2Vec2(Wav2Vec2&&) noexcept = default;
Wav2Vec2& Wav2Vec2::operator=(Wav2Vec2&&) noexcept = default;
Wav2Vec2::~Wav2Vec2() = default;

const Wav2Vec2Config& Wav2Vec2::config() const { return parts_->config; }
NamedTensors Wav2Vec2::parameters() const { return parts_->weights.all(); }

LoadReport Wav2Vec2::adopt(const NamedTensors& weights, const std::string& origin) {
  NamedTensors own;
  std::map<std::string, std::string> first;
  for (const auto& [name, tensor] : weights) {
    auto mine = own_name(name);
    if (!mine) continue;
    if (const auto [other, fresh] = first.emplace(*mine, name); !fresh)
      raise<IoError>(origin, ": ", name, " and ", other->second, " are the same tensor, ", *mine);
    own.emplace_back(std::move(*mine), tensor);
  }
  return parts_->weights.adopt(own, origin);
}

at::Tensor Wav2Vec2::encode(const at::Tensor& samples, std::int64_t frames) const {
  const c10::NoGradGuard no_grad;
  const auto& p = *parts_;
  dims<2>(samples, "samples [B, N]");
  SVI_CHECK(frames >= 0, "frames ", frames);
  SVI_CHECK(!p.weights["encoder.layer_norm.bias"].is_meta(),
            "the wav2vec2 encoder has no weights yet");
  std::int64_t shortest = 1;
  for (std::size_t i = p.config.conv_kernel.size(); i-- > 0;)
    shortest = (shortest - 1) * p.config.conv_stride[i] + p.config.conv_kernel[i];
  SVI_CHECK(samples.size(1) >= shortest, "samples ", samples.sizes(), ": at least ", shortest,
            " are needed");
  const auto sound = samples.to(at::kFloat);
  const auto centred = sound - sound.mean(1, /*keepdim=*/true);
  constexpr double kVarianceEps = 1e-7;
  auto x = p.features(centred / (centred.square().mean(1, /*keepdim=*/true) + kVarianceEps).sqrt());
  if (frames > 0) x = at::upsample_linear1d(x, {frames}, /*align_corners=*/true);
  x = p.linear(p.norm(x.transpose(1, 2), "feature_projection.layer_norm"),
               "feature_projection.projection");
  x = p.norm(x + p.positions(x), "encoder.layer_norm");
  std::vector<at::Tensor> states;
  for (std::int64_t i = 0; i < p.config.layers; ++i) {
    const auto block = cat("encoder.layers.", i, ".");
    x = p.norm(x + p.attention(x, block + "attention"), block + "layer_norm");
    const auto hidden = at::gelu(p.linear(x, block + "feed_forward.intermediate_dense"));
    x = p.norm(x + p.linear(hidden, block + "feed_forward.output_dense"),
               block + "final_layer_norm");
    states.push_back(x);
  }
  return at::stack(states, 2);
}

}  // namespace svi
