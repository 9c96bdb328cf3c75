#include "svi/model/lora.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>

#include "model/lora_key.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"

namespace svi {
namespace {

bool has_suffix(std::string_view name, std::string_view target) {
  return name == target || (name.ends_with(target) && name.size() > target.size() &&
                            name[name.size() - target.size() - 1] == '.');
}

// Block index of "blocks.12.x", or -1.
std::int64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blocks.";
  std::int64_t index = -1;
  if (name.starts_with(kPrefix)) {
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), index);
  }
  return index;
}

bool chosen(const LoraConfig& config, const std::string& name) {
  if (!config.self_attn && name.find(".self_attn.") != std::string::npos) return false;
  if (!config.cross_attn && name.find(".cross_attn.") != std::string::npos) return false;
  const auto& layers = config.layers;
  if (!layers.empty() && std::find(layers.begin(), layers.end(), layer_of(name)) == layers.end()) {
    return false;
  }
  return std::any_of(config.targets.begin(), config.targets.end(),
                     [&](const std::string& target) { return has_suffix(name, target); });
}

double single_value(const std::string& name, const at::Tensor& tensor) {
  if (tensor.numel() != 1) raise<IoError>(name, " has ", tensor.numel(), " values, not one");
  return tensor.item<double>();
}

std::string key_name(const std::string& layer, char part, LoraNaming naming) {
  return naming == LoraNaming::official ? cat("pipe.dit.", layer, ".lora_", part, ".default.weight")
         : naming == LoraNaming::peft   ? cat("base_model.model.", layer, ".lora_", part, ".weight")
                                        : cat("diffusion_model.", layer, ".lora_", part, ".weight");
}

}  // namespace

void LoraConfig::describe(OptionVisitor& visit) {
  visit(rank, {.key = "rank", .help = "rank of each adapter", .min = 1});
  visit(alpha, {.key = "alpha",
                .help = "strength of the adapter: its update is multiplied by alpha / rank",
                .min = 0});
  visit(targets, {.key = "targets", .help = "layers to adapt, by the last part of their names"});
  visit(self_attn, {.key = "self_attn", .help = "adapt self-attention"});
  visit(cross_attn, {.key = "cross_attn", .help = "adapt cross-attention"});
  visit(layers, {.key = "layers", .help = "blocks to adapt, counted from 0; empty: all", .min = 0});
}

std::string LoraConfig::problem() const {
  if (rank < 1) return cat("rank must be at least 1, got ", rank);
  if (targets.empty()) return "targets is empty: nothing would be adapted";
  return {};
}

Lora::Lora(const LoraConfig& config, const std::vector<LinearShape>& linears, std::uint64_t seed,
           const at::Device& device)
    : config_(config) {
  if (const auto problem = config.problem(); !problem.empty()) raise<ConfigError>(problem);
  std::vector<std::uint32_t> streams;  // a layer's place in the model, whatever else is adapted
  std::int64_t count = 0;
  for (std::size_t i = 0; i < linears.size(); ++i) {
    if (!chosen(config, linears[i].name)) continue;
    adapters_.push_back({linears[i], {}, {}});
    streams.push_back(static_cast<std::uint32_t>(i));
    count += config.rank * (linears[i].in + linears[i].out);
  }
  for (const auto& target : config.targets) {
    const auto fits = [&](const LoraAdapter& adapter) {
      return has_suffix(adapter.layer.name, target);
    };
    if (std::none_of(adapters_.begin(), adapters_.end(), fits)) {
      raise<ConfigError>("LoRA target '", target, "' fits no chosen layer; layers are named like ",
                         linears.empty() ? "" : linears.front().name);
    }
  }
  flat_ = at::zeros({count}, at::kFloat);
  bind();
  for (std::size_t i = 0; i < adapters_.size(); ++i) {
    auto& a = adapters_[i].a;
    const RandomKey key{.seed = seed, .purpose = Purpose::lora_init, .stream = streams[i]};
    fill_uniform(key, a.mutable_data_ptr<float>(), a.numel());
    const at::NoGradGuard no_grad;
    a.mul_(2).sub_(1).mul_(1 / std::sqrt(static_cast<double>(adapters_[i].layer.in)));
  }
  require_grad(true);
  if (!device.is_cpu()) to(device);
}

void Lora::bind() {
  std::int64_t offset = 0;
  const auto take = [&](std::int64_t rows, std::int64_t columns) {
    auto view = flat_.narrow(0, offset, rows * columns).view({rows, columns}).detach();
    if (flat_grad_.defined()) {
      // Autograd adds in place where a leaf already has a gradient.
      view.set_requires_grad(true);
      view.mutable_grad() = flat_grad_.narrow(0, offset, rows * columns).view({rows, columns});
    }
    offset += rows * columns;
    return view;
  };
  for (auto& adapter : adapters_) {
    adapter.a = take(config_.rank, adapter.layer.in);
    adapter.b = take(adapter.layer.out, config_.rank);
  }
}

void Lora::zero_grad() {
  if (flat_grad_.defined()) flat_grad_.zero_();
}

void Lora::require_grad(bool required) {
  if (required == flat_grad_.defined()) return;
  flat_grad_ = required ? at::zeros_like(flat_) : at::Tensor();
  bind();
}

void Lora::to(const at::Device& device) {
  flat_ = flat_.to(device);
  if (flat_grad_.defined()) flat_grad_ = flat_grad_.to(device);
  bind();
}

NamedTensors Lora::tensors(LoraNaming naming) const {
  NamedTensors named;
  for (const auto& adapter : adapters_) {
    named.emplace_back(key_name(adapter.layer.name, 'A', naming), adapter.a.detach());
    named.emplace_back(key_name(adapter.layer.name, 'B', naming), adapter.b.detach());
  }
  return named;
}

LoadReport Lora::load(const NamedTensors& tensors, const std::string& origin) {
  NamedTensors renamed;
  for (const auto& [name, tensor] : tensors) {
    const auto key = parse_lora_key(name);
    if (key && key->part == LoraKey::Part::alpha) {
      if (std::abs(single_value(name, tensor) - config_.alpha) > 1e-6 * config_.alpha) {
        raise<IoError>(origin, ": ", name, " is ", tensor.item<double>(),
                       ", the adapter's alpha is ", config_.alpha, "; set alpha to the file's");
      }
      continue;
    }
    const bool a = key && key->part == LoraKey::Part::a;
    const bool b = key && key->part == LoraKey::Part::b;
    renamed.emplace_back(a || b ? key_name(key->layer, a ? 'A' : 'B', LoraNaming::official) : name,
                         tensor);
  }
  return load_strict(this->tensors(), renamed, origin);
}

LoraConfig Lora::infer(const NamedTensors& tensors) {
  LoraConfig config{.rank = 0, .alpha = 0, .targets = {}, .self_attn = false, .cross_attn = false};
  std::set<std::int64_t> layers;
  for (const auto& [name, tensor] : tensors) {
    const auto key = parse_lora_key(name);
    if (!key) raise<IoError>("not an adapter's tensor: ", name);
    if (key->part == LoraKey::Part::alpha) {
      config.alpha = single_value(name, tensor);
      continue;
    }
    if (key->part != LoraKey::Part::a && key->part != LoraKey::Part::b)
      raise<IoError>(name, " is a dense difference, which only merging can apply");
    if (tensor.dim() != 2) raise<IoError>(name, " has ", tensor.dim(), " axes, an adapter's has 2");
    const auto rank = tensor.size(key->part == LoraKey::Part::a ? 0 : 1);
    if (config.rank != 0 && rank != config.rank) {
      raise<IoError>(name, " has rank ", rank, ", others ", config.rank,
                     ": adapters of mixed rank are not supported");
    }
    config.rank = rank;
    const bool self = key->layer.find(".self_attn.") != std::string::npos;
    const bool cross = key->layer.find(".cross_attn.") != std::string::npos;
    config.self_attn |= self;
    config.cross_attn |= cross;
    const auto last = key->layer.rfind('.');
    const auto target = self || cross ? key->layer.substr(last + 1)
                                      : key->layer.substr(key->layer.rfind('.', last - 1) + 1);
    if (std::find(config.targets.begin(), config.targets.end(), target) == config.targets.end()) {
      config.targets.push_back(target);
    }
    layers.insert(layer_of(key->layer));
  }
  if (config.rank == 0) raise<IoError>("no adapter's tensors in it");
  if (config.alpha == 0) config.alpha = static_cast<double>(config.rank);
  config.layers.assign(layers.begin(), layers.end());
  return config;
}

}  // namespace svi
