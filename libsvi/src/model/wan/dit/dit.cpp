#include "svi/model/wan/dit.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>
#include <utility>

#include "model/wan/dit/block_feed.hpp"
#include "model/wan/dit/contexts.hpp"
#include "model/wan/dit/dit_parts.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/positions.hpp"

namespace svi {
namespace {

// Sets every weight's shape; norm gains are one, everything else zero.
void allocate(WanDitParts& parts, const at::TensorOptions& options) {
  const auto& c = parts.config;
  const auto zeros = [&](at::IntArrayRef sizes) { return at::zeros(sizes, options); };
  const auto linear = [&](WanLinear& layer, std::int64_t out, std::int64_t in) {
    layer.weight = zeros({out, in});
    layer.bias = zeros({out});
  };
  const auto attention = [&](WanAttention& layer) {
    for (auto* part : {&layer.q, &layer.k, &layer.v, &layer.o}) linear(*part, c.dim, c.dim);
    layer.norm_q = at::ones({c.dim}, options);
    layer.norm_k = at::ones({c.dim}, options);
  };
  parts.patch_embedding.weight = zeros({c.dim, c.in_dim, c.patch[0], c.patch[1], c.patch[2]});
  parts.patch_embedding.bias = zeros({c.dim});
  linear(parts.text_0, c.dim, c.text_dim);
  linear(parts.text_2, c.dim, c.dim);
  linear(parts.time_0, c.dim, c.freq_dim);
  linear(parts.time_2, c.dim, c.dim);
  linear(parts.time_projection, 6 * c.dim, c.dim);
  parts.blocks.resize(static_cast<std::size_t>(c.layers));
  for (auto& block : parts.blocks) {
    block.modulation = zeros({1, 6, c.dim});
    attention(block.self_attn);
    attention(block.cross_attn);
    block.norm3_weight = at::ones({c.dim}, options);
    block.norm3_bias = zeros({c.dim});
    linear(block.ffn_0, c.ffn_dim, c.dim);
    linear(block.ffn_2, c.dim, c.ffn_dim);
    if (c.image_dim > 0) {
      linear(block.cross_attn.k_img, c.dim, c.dim);
      linear(block.cross_attn.v_img, c.dim, c.dim);
      block.cross_attn.norm_k_img = at::ones({c.dim}, options);
    }
  }
  parts.head_modulation = zeros({1, 2, c.dim});
  linear(parts.head, c.out_dim * c.patch[0] * c.patch[1] * c.patch[2], c.dim);
  if (c.image_dim > 0) {
    parts.img_norm_in_weight = at::ones({c.image_dim}, options);
    parts.img_norm_in_bias = zeros({c.image_dim});
    linear(parts.img_1, c.image_dim, c.image_dim);
    linear(parts.img_3, c.dim, c.image_dim);
    parts.img_norm_out_weight = at::ones({c.dim}, options);
    parts.img_norm_out_bias = zeros({c.dim});
  }
}

// Integers can't take new values of another scale.
void refuse_quantised(const WanDitParts& parts) {
  visit_block_linears(parts, [](const std::string& name, const WanLinear& layer) {
    SVI_CHECK(!layer.scale.defined(), name, " is kept in 8 bits: move it with `to`, or adopt");
  });
}

}  // namespace

WanRope WanDitParts::rope(std::int64_t frames, std::int64_t rows, std::int64_t columns,
                          const at::Device& device) const {
  const std::lock_guard lock(rope_mutex);
  for (const auto& known : ropes) {
    if (known.frames == frames && known.rows == rows && known.columns == columns &&
        known.device == device) {
      return known;
    }
  }
  const auto [cos, sin] = wan_rope(config.dim / config.heads, frames, rows, columns);
  const WanRope made{frames, rows, columns, device, cos.to(device), sin.to(device)};
  constexpr std::size_t kKept = 8;  // sizes in use at once are few; don't grow for ever
  if (ropes.size() >= kKept) ropes.erase(ropes.begin());
  ropes.push_back(made);
  return made;
}

WanDit::WanDit(const WanDitConfig& config, const at::TensorOptions& options)
    : parts_(std::make_unique<WanDitParts>()) {
  if (const auto problem = config.problem(); !problem.empty()) raise<ConfigError>(problem);
  parts_->config = config;
  allocate(*parts_, options);
}

WanDit::~WanDit() = default;

const WanDitConfig& WanDit::config() const { return parts_->config; }

void WanDit::initialise(std::uint64_t seed) {
  refuse_quantised(*parts_);
  const c10::NoGradGuard no_grad;
  const auto dim = static_cast<double>(parts_->config.dim);
  std::uint32_t stream = 0;
  visit_weights(*parts_, [&](const std::string& name, at::Tensor& weight) {
    const RandomKey key{.seed = seed, .purpose = Purpose::weight_init, .stream = stream++};
    const bool is_norm = name.find("norm") != std::string::npos ||
                         name == "img_emb.proj.0.weight" || name == "img_emb.proj.4.weight";
    if (name.ends_with("bias") || name.starts_with("head.head")) {
      weight.zero_();  // a zero head: the first prediction is zero, whatever the blocks do
    } else if (is_norm) {
      weight.fill_(1);
    } else if (name.ends_with("modulation")) {
      auto value = at::empty(weight.sizes(), at::kFloat);
      fill_normal(key, value.mutable_data_ptr<float>(), value.numel());
      weight.copy_(value / std::sqrt(dim));
    } else {
      auto value = at::empty(weight.sizes(), at::kFloat);
      const auto out = static_cast<double>(weight.size(0));
      const auto in = static_cast<double>(weight[0].numel());
      if (name.starts_with("text_embedding") || name.starts_with("time_embedding")) {
        // The official 0.02 starves narrow models of time and text; 1 / sqrt(in) exceeds it there.
        fill_normal(key, value.mutable_data_ptr<float>(), value.numel());
        weight.copy_(value * std::max(0.02, 1 / std::sqrt(in)));
      } else {
        fill_uniform(key, value.mutable_data_ptr<float>(), value.numel());
        weight.copy_((2 * value - 1) * std::sqrt(6 / (in + out)));  // Xavier
      }
    }
  });
}

NamedTensors WanDit::parameters() const {
  NamedTensors named;
  visit_weights(*parts_, [&](const std::string& name, const at::Tensor& weight) {
    named.emplace_back(name, weight);
  });
  return named;
}

LoadReport WanDit::load(const NamedTensors& weights, const std::string& origin) {
  refuse_quantised(*parts_);
  return load_strict(parameters(), weights, origin);
}

void WanDit::require_grad(bool required) {
  for (std::size_t i = 0; required && i < parts_->blocks.size(); ++i) {
    SVI_CHECK(wan::is_ready(*parts_, i), "block ", i,
              " is converted as it is used and collects no gradients: place all blocks, not "
              "quantised, or train an adapter");
  }
  for (auto& [name, weight] : parameters()) weight.set_requires_grad(required);
}

void WanDit::recompute_blocks(bool enabled) { parts_->recompute = enabled; }

std::vector<LinearShape> WanDit::linears() const {
  std::vector<LinearShape> shapes;
  visit_block_linears(*parts_, [&](const std::string& name, const WanLinear& layer) {
    shapes.push_back({name, layer.weight.size(1), layer.weight.size(0)});
  });
  return shapes;
}

void WanDit::attach(std::shared_ptr<Lora> lora) {
  SVI_CHECK(lora != nullptr, "there is no adapter to attach");
  SVI_CHECK(parts_->lora == nullptr, "another adapter is attached: detach it or merge it first");
  std::unordered_map<std::string, WanLinear*> layers;
  visit_block_linears(
      *parts_, [&](const std::string& name, WanLinear& layer) { layers.emplace(name, &layer); });
  for (const auto& adapter : lora->adapters()) {
    const auto found = layers.find(adapter.layer.name);
    SVI_CHECK(found != layers.end(), "the model has no layer ", adapter.layer.name);
    const auto& weight = found->second->weight;
    SVI_CHECK(weight.size(0) == adapter.layer.out && weight.size(1) == adapter.layer.in,
              adapter.layer.name, " of the model is ", weight.sizes(), ", of the adapter [",
              adapter.layer.out, ", ", adapter.layer.in, "]");
  }
  for (std::size_t i = 0; i < lora->adapters().size(); ++i) {
    auto& layer = *layers.at(lora->adapters()[i].layer.name);
    layer.lora = lora.get();
    layer.adapter = i;
  }
  parts_->lora = std::move(lora);
}

void WanDit::detach() {
  visit_block_linears(*parts_, [](const std::string&, WanLinear& layer) { layer.lora = nullptr; });
  parts_->lora.reset();
}

const std::shared_ptr<Lora>& WanDit::lora() const { return parts_->lora; }

void WanDit::keep_contexts(std::size_t count) { parts_->contexts->keep(count); }

}  // namespace svi
