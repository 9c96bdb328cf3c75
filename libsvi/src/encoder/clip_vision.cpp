#include "svi/encoder/clip_vision.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "encoder/weight_table.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr const char* kClipModel = "a CLIP image tower";
constexpr std::int64_t kHeadDim = 80;  // of ViT-H

WeightTable::Shapes clip_shapes(const ClipVisionConfig& c) {
  const std::string v = "visual.";
  WeightTable::Shapes shapes{{v + "patch_embedding.weight", {c.dim, 3, c.patch, c.patch}},
                             {v + "cls_embedding", {1, 1, c.dim}},
                             {v + "pos_embedding", {1, c.tokens(), c.dim}}};
  const auto pair = [&](const std::string& name, std::vector<std::int64_t> weight) {
    shapes.emplace_back(name + ".bias", std::vector{weight[0]});
    shapes.emplace_back(name + ".weight", std::move(weight));
  };
  pair(v + "pre_norm", {c.dim});
  pair(v + "post_norm", {c.dim});
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const auto block = cat(v, "transformer.", i, ".");
    pair(block + "norm1", {c.dim});
    pair(block + "norm2", {c.dim});
    pair(block + "attn.to_qkv", {3 * c.dim, c.dim});
    pair(block + "attn.proj", {c.dim, c.dim});
    pair(block + "mlp.0", {c.mlp_dim, c.dim});
    pair(block + "mlp.2", {c.dim, c.mlp_dim});
  }
  if (c.out_dim > 0) shapes.emplace_back(v + "head", std::vector{c.dim, c.out_dim});
  return shapes;
}

std::string clip_problem(const ClipVisionConfig& c) {
  if (c.patch < 1 || c.image < c.patch || c.dim < 1 || c.layers < 1 || c.heads < 1)
    return "CLIP: a size is below 1, or the image is smaller than a patch";
  if (c.dim % c.heads != 0) return cat("CLIP: dim ", c.dim, " is no multiple of heads ", c.heads);
  return {};
}

}  // namespace

struct ClipVision::Parts {
  explicit Parts(const ClipVisionConfig& sizes) : config(sizes), weights(clip_shapes(sizes)) {}
  ClipVisionConfig config;
  WeightTable weights;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;

  at::Tensor at(const std::string& name) const {
    return weights["visual." + name].to(device, dtype);
  }
  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    return at::linear(x, at(name + ".weight"), at(name + ".bias"));
  }
  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    return at::layer_norm(x, {config.dim}, at(name + ".weight"), at(name + ".bias"), config.eps);
  }
  at::Tensor attention(const at::Tensor& x, const std::string& name) const {
    const auto B = x.size(0), L = x.size(1);
    const auto qkv = linear(x, name + ".to_qkv")
                         .view({B, L, 3, config.heads, -1})
                         .permute({2, 0, 3, 1, 4});  // [3, B, heads, L, channels]
    const auto mixed = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]);
    return linear(mixed.transpose(1, 2).reshape({B, L, config.dim}), name + ".proj");
  }
};

ClipVision::ClipVision(const ClipVisionConfig& config) {
  if (const auto text = clip_problem(config); !text.empty()) raise<ConfigError>(text);
  parts_ = std::make_unique<Parts>(config);
}
ClipVision::ClipVision(ClipVision&&) noexcept = default;
ClipVision& ClipVision::operator=(ClipVision&&) noexcept = default;
ClipVision::~ClipVision() = default;

ClipVisionConfig ClipVision::infer(const NamedTensors& weights, std::int64_t heads) {
  ClipVisionConfig config;
  config.dim = size_in(weights, "visual.patch_embedding.weight", 0, kClipModel);
  config.patch = size_in(weights, "visual.patch_embedding.weight", 3, kClipModel);
  const auto tokens = size_in(weights, "visual.pos_embedding", 1, kClipModel);
  const auto side = std::llround(std::sqrt(static_cast<double>(tokens - 1)));
  if (side < 1 || side * side != tokens - 1)
    raise<IoError>("not the weights of ", kClipModel, ": ", tokens,
                   " positions are no square and one");
  config.image = side * config.patch;
  config.mlp_dim = size_in(weights, "visual.transformer.0.mlp.0.weight", 0, kClipModel);
  config.layers = count_layers(weights, "visual.transformer.", ".norm1.weight");
  const bool projects = std::any_of(weights.begin(), weights.end(),
                                    [](const auto& named) { return named.first == "visual.head"; });
  config.out_dim = projects ? size_in(weights, "visual.head", 1, kClipModel) : 0;
  config.heads = heads > 0 ? heads : std::max<std::int64_t>(1, config.dim / kHeadDim);
  if (const auto text = clip_problem(config); !text.empty()) raise<IoError>(text);
  return config;
}

const ClipVisionConfig& ClipVision::config() const { return parts_->config; }
NamedTensors ClipVision::parameters() const { return parts_->weights.all(); }

LoadReport ClipVision::adopt(const NamedTensors& weights, const std::string& origin) {
  return parts_->weights.adopt(weights, origin, [](const std::string& name) {
    return name.starts_with("textual.") || name == "log_scale";
  });
}

void ClipVision::compute(const at::Device& device, at::ScalarType dtype) {
  parts_->device = device;
  parts_->dtype = dtype;
}

at::Tensor ClipVision::preprocess(const at::Tensor& frames) const {
  const auto [B, C, H, W] = dims<4>(frames, "frames [B, 3, H, W]");
  SVI_CHECK(C == 3, "frames ", frames.sizes(), " are not [B, 3, H, W]");
  const auto side = parts_->config.image;
  const auto sized = at::upsample_bicubic2d(frames.to(parts_->device, at::kFloat), {side, side},
                                            /*align_corners=*/false);
  const auto channels = [&](std::initializer_list<double> values) {
    return at::tensor(at::ArrayRef<double>(values), at::kFloat)
        .view({1, 3, 1, 1})
        .to(sized.device());
  };
  return (sized * 0.5 + 0.5 - channels({0.48145466, 0.4578275, 0.40821073})) /
         channels({0.26862954, 0.26130258, 0.27577711});
}

at::Tensor ClipVision::encode(const at::Tensor& frames) const {
  const c10::NoGradGuard no_grad;
  const auto& p = *parts_;
  SVI_CHECK(!p.weights["visual.pos_embedding"].is_meta(),
            "the CLIP image tower has no weights yet");
  const auto image = preprocess(frames).to(p.dtype);
  const auto patches =
      at::conv2d(image, p.at("patch_embedding.weight"), {}, {p.config.patch, p.config.patch})
          .flatten(2)
          .transpose(1, 2);  // [B, tokens - 1, dim]
  const auto first = p.at("cls_embedding").expand({image.size(0), 1, p.config.dim});
  auto x = p.norm(at::cat({first, patches}, 1) + p.at("pos_embedding"), "pre_norm");
  for (std::int64_t i = 0; i + 1 < p.config.layers; ++i) {
    const auto block = cat("transformer.", i, ".");
    x = x + p.attention(p.norm(x, block + "norm1"), block + "attn");
    const auto hidden = at::gelu(p.linear(p.norm(x, block + "norm2"), block + "mlp.0"));
    x = x + p.linear(hidden, block + "mlp.2");
  }
  return x.to(at::kFloat);
}

}  // namespace svi
