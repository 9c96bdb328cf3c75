#include "svi/encoder/umt5.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "encoder/weight_table.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/dense.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr const char* kUmt5Model = "a umT5 encoder";

WeightTable::Shapes umt5_shapes(const Umt5Config& c) {
  WeightTable::Shapes shapes{{"token_embedding.weight", {c.vocabulary, c.dim}}};
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const auto block = cat("blocks.", i, ".");
    shapes.emplace_back(block + "norm1.weight", std::vector{c.dim});
    for (const auto* part : {"q", "k", "v"})
      shapes.emplace_back(cat(block, "attn.", part, ".weight"),
                          std::vector{c.attention_dim, c.dim});
    shapes.emplace_back(block + "attn.o.weight", std::vector{c.dim, c.attention_dim});
    shapes.emplace_back(block + "norm2.weight", std::vector{c.dim});
    for (const auto* part : {"gate.0", "fc1"})
      shapes.emplace_back(cat(block, "ffn.", part, ".weight"), std::vector{c.ffn_dim, c.dim});
    shapes.emplace_back(block + "ffn.fc2.weight", std::vector{c.dim, c.ffn_dim});
    shapes.emplace_back(block + "pos_embedding.embedding.weight", std::vector{c.buckets, c.heads});
  }
  shapes.emplace_back("norm.weight", std::vector{c.dim});
  return shapes;
}

std::string umt5_problem(const Umt5Config& c) {
  for (const auto size : {c.vocabulary, c.dim, c.attention_dim, c.ffn_dim, c.heads, c.layers}) {
    if (size < 1) return "a size of the umT5 encoder is below 1";
  }
  if (c.attention_dim % c.heads != 0)
    return cat("umT5: attention_dim ", c.attention_dim, " is no multiple of heads ", c.heads);
  if (c.buckets < 4 || c.buckets % 4 != 0 || c.max_distance <= c.buckets / 4)
    return "umT5: buckets must be a multiple of 4, and max_distance above a quarter of them";
  return {};
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const auto wide = x.to(at::kFloat);
  const auto scale = (wide.square().mean(-1, /*keepdim=*/true) + eps).rsqrt();
  return (wide * scale).to(x.scalar_type()) * weight.to(x.scalar_type());
}

/// [L, L] int64: the bucket of each key for each query.
at::Tensor bucket_table(std::int64_t length, const Umt5Config& c) {
  std::vector<std::int64_t> of_distance;  // -(L - 1) .. L - 1
  for (auto r = 1 - length; r < length; ++r)
    of_distance.push_back(umt5_bucket(r, c.buckets, c.max_distance));
  const auto places = at::arange(length, at::kLong);
  return at::tensor(of_distance)
      .index_select(0, (places.unsqueeze(0) - places.unsqueeze(1) + (length - 1)).flatten())
      .view({length, length});
}

}  // namespace

std::int64_t umt5_bucket(std::int64_t relative, std::int64_t buckets, std::int64_t max_distance) {
  const auto half = buckets / 2, exact = half / 2;
  const auto side = relative > 0 ? half : 0;
  const auto distance = std::abs(relative);
  if (distance < exact) return side + distance;
  // fp32, as the reference computes it: the border of a bucket may hinge on it.
  const float steps =
      std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact))) *
      static_cast<float>(half - exact);
  return side + std::min(half - 1, exact + static_cast<std::int64_t>(steps));
}

struct Umt5Encoder::Parts {
  explicit Parts(const Umt5Config& sizes) : config(sizes), weights(umt5_shapes(sizes)) {}
  Umt5Config config;
  WeightTable weights;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;

  /// A weight as it is computed with; a view where nothing must be converted.
  at::Tensor at(const std::string& name) const { return weights[name].to(device, dtype); }
  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    if (x.is_cpu() && wan::multiplies_stored(weights[name]))
      return wan::dense(x, weights[name], {});
    return at::linear(x, at(name));
  }

  at::Tensor attention(const at::Tensor& x, const std::string& block, const at::Tensor& buckets,
                       const at::Tensor& mask) const {
    const auto B = x.size(0), L = x.size(1);
    const auto heads = [&](const char* part) {
      return linear(x, cat(block, "attn.", part, ".weight"))
          .view({B, L, config.heads, -1})
          .transpose(1, 2);  // [B, heads, L, channels]
    };
    const auto bias = at(block + "pos_embedding.embedding.weight")
                          .index_select(0, buckets.flatten())
                          .view({L, L, config.heads})
                          .permute({2, 0, 1});  // [heads, L, L]
    const auto q = heads("q"), k = heads("k"), v = heads("v");
    const auto scores = at::matmul(q, k.transpose(2, 3)) + (bias + mask);
    const auto shares = at::softmax(scores.to(at::kFloat), -1).to(x.scalar_type());
    const auto mixed = at::matmul(shares, v).transpose(1, 2).reshape({B, L, config.attention_dim});
    return linear(mixed, block + "attn.o.weight");
  }

  at::Tensor feed_forward(const at::Tensor& x, const std::string& block) const {
    const auto gate = at::gelu(linear(x, block + "ffn.gate.0.weight"), "tanh");
    return linear(linear(x, block + "ffn.fc1.weight") * gate, block + "ffn.fc2.weight");
  }
};

Umt5Encoder::Umt5Encoder(const Umt5Config& config) {
  if (const auto text = umt5_problem(config); !text.empty()) raise<ConfigError>(text);
  parts_ = std::make_unique<Parts>(config);
}
Umt5Encoder::Umt5Encoder(Umt5Encoder&&) noexcept = default;
Umt5Encoder& Umt5Encoder::operator=(Umt5Encoder&&) noexcept = default;
Umt5Encoder::~Umt5Encoder() = default;

Umt5Config Umt5Encoder::infer(const NamedTensors& weights) {
  Umt5Config config;
  config.vocabulary = size_in(weights, "token_embedding.weight", 0, kUmt5Model);
  config.dim = size_in(weights, "token_embedding.weight", 1, kUmt5Model);
  config.attention_dim = size_in(weights, "blocks.0.attn.q.weight", 0, kUmt5Model);
  config.ffn_dim = size_in(weights, "blocks.0.ffn.fc1.weight", 0, kUmt5Model);
  config.buckets = size_in(weights, "blocks.0.pos_embedding.embedding.weight", 0, kUmt5Model);
  config.heads = size_in(weights, "blocks.0.pos_embedding.embedding.weight", 1, kUmt5Model);
  config.layers = count_layers(weights, "blocks.", ".norm1.weight");
  if (const auto text = umt5_problem(config); !text.empty()) raise<IoError>(text);
  return config;
}

const Umt5Config& Umt5Encoder::config() const { return parts_->config; }
NamedTensors Umt5Encoder::parameters() const { return parts_->weights.all(); }

LoadReport Umt5Encoder::adopt(const NamedTensors& weights, const std::string& origin) {
  return parts_->weights.adopt(weights, origin);
}

void Umt5Encoder::compute(const at::Device& device, at::ScalarType dtype) {
  parts_->device = device;
  parts_->dtype = dtype;
}

at::Tensor Umt5Encoder::encode(const at::Tensor& ids, const at::Tensor& lengths) const {
  const c10::NoGradGuard no_grad;
  const auto& p = *parts_;
  const auto [B, L] = dims<2>(ids, "ids [B, L]");
  SVI_CHECK(ids.scalar_type() == at::kLong && lengths.scalar_type() == at::kLong,
            "ids and lengths must be int64");
  SVI_CHECK(lengths.dim() == 1 && lengths.size(0) == B, "lengths ", lengths.sizes(),
            " is not one per text of ", ids.sizes());
  SVI_CHECK(lengths.min().item<std::int64_t>() >= 1 && lengths.max().item<std::int64_t>() <= L,
            "lengths must lie in 1 .. ", L);
  SVI_CHECK(
      ids.min().item<std::int64_t>() >= 0 && ids.max().item<std::int64_t>() < p.config.vocabulary,
      "an id lies outside the vocabulary of ", p.config.vocabulary);
  const auto& table = p.weights["token_embedding.weight"];
  SVI_CHECK(!table.is_meta(), "the umT5 encoder has no weights yet");

  // No row depends on those behind the longest text, which are zero in the end: they are left out.
  const auto N = lengths.max().item<std::int64_t>();
  const auto real = at::arange(N, at::kLong).unsqueeze(0) < lengths.cpu().unsqueeze(1);  // [B, N]
  const double lowest = p.dtype == at::kHalf       ? -65504.0
                        : p.dtype == at::kBFloat16 ? -3.3895313892515355e38
                                                   : -3.4028234663852886e38;
  const auto mask = at::zeros({B, 1, 1, N}, at::TensorOptions(p.dtype))
                        .masked_fill_(real.logical_not().view({B, 1, 1, N}), lowest)
                        .to(p.device);
  const auto buckets = bucket_table(N, p.config).to(p.device);
  // Only the rows in question are read from a table of gigabytes.
  auto x = table.index_select(0, ids.narrow(1, 0, N).to(table.device()).flatten())
               .to(p.device, p.dtype)
               .view({B, N, p.config.dim});
  for (std::int64_t i = 0; i < p.config.layers; ++i) {
    const auto block = cat("blocks.", i, ".");
    x = x +
        p.attention(rms_norm(x, p.at(block + "norm1.weight"), p.config.eps), block, buckets, mask);
    x = x + p.feed_forward(rms_norm(x, p.at(block + "norm2.weight"), p.config.eps), block);
  }
  x = rms_norm(x, p.at("norm.weight"), p.config.eps) * real.unsqueeze(2).to(p.device, p.dtype);
  return at::constant_pad_nd(x, {0, 0, 0, L - N});
}

}  // namespace svi
