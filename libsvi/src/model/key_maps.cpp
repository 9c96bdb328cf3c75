#include "svi/model/key_maps.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "model/name_rules.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

/// A tensor by which a file of a kind and naming is known, and the rules of the naming.
struct Mark {
  WeightKind kind;
  WeightNaming naming;
  const char* name;
};

constexpr Mark kMarks[] = {
    {WeightKind::dit, WeightNaming::diffusers, "condition_embedder.time_proj.weight"},
    {WeightKind::dit, WeightNaming::official, "time_projection.1.weight"},
    {WeightKind::vae, WeightNaming::diffusers, "post_quant_conv.weight"},
    {WeightKind::vae, WeightNaming::official, "decoder.conv1.weight"},
    {WeightKind::umt5, WeightNaming::diffusers, "encoder.final_layer_norm.weight"},
    {WeightKind::umt5, WeightNaming::official, "blocks.0.pos_embedding.embedding.weight"},
    {WeightKind::clip, WeightNaming::diffusers, "vision_model.embeddings.class_embedding"},
    {WeightKind::clip, WeightNaming::official, "visual.cls_embedding"}};

constexpr std::string_view kComfy = "model.diffusion_model.";

const char* network(WeightKind kind) {
  switch (kind) {
    case WeightKind::dit:
      return "a Wan transformer";
    case WeightKind::vae:
      return "a Wan VAE";
    case WeightKind::umt5:
      return "a umT5 encoder";
    default:
      return "a CLIP image tower";
  }
}

const NameRules& rules_of(WeightKind kind) {
  switch (kind) {
    case WeightKind::dit:
      return dit_rules();
    case WeightKind::vae:
      return vae_rules();
    case WeightKind::umt5:
      return umt5_rules();
    default:
      return clip_rules();
  }
}

/// How a file's names are made: a wrapper's prefix, then a naming.
struct Style {
  WeightKind kind;
  WeightNaming naming;
  std::string prefix;
};

bool is_wrapper(std::string_view prefix) {
  static const std::set<std::string_view> kWrappers = {"",
                                                       "model.",
                                                       "diffusion_model.",
                                                       "model.diffusion_model.",
                                                       "pipe.dit.",
                                                       "dit.",
                                                       "module.",
                                                       "_orig_mod.",
                                                       "model.model.",
                                                       "transformer.",
                                                       "vae.",
                                                       "first_stage_model.",
                                                       "text_encoder.",
                                                       "image_encoder.",
                                                       "cond_stage_model."};
  return kWrappers.contains(prefix);
}

std::optional<Style> style_of(const NamedTensors& weights) {
  for (const auto& mark : kMarks) {
    const std::string_view wanted = mark.name;
    for (const auto& [name, tensor] : weights) {
      if (!name.ends_with(wanted)) continue;
      const auto prefix = name.substr(0, name.size() - wanted.size());
      if (is_wrapper(prefix)) return Style{mark.kind, mark.naming, prefix};
    }
  }
  return std::nullopt;
}

/// fp8 weights multiplied by the scale that stands beside them.
NamedTensors multiplied_out(const NamedTensors& weights, const std::string& origin) {
  std::unordered_map<std::string, at::Tensor> scales;
  NamedTensors rest;
  for (const auto& [name, tensor] : weights) {
    for (const std::string_view end : {".scale_weight", ".weight_scale"}) {
      if (name.ends_with(end))
        scales[name.substr(0, name.size() - end.size()) + ".weight"] = tensor;
    }
    const bool extra = name.ends_with(".scale_weight") || name.ends_with(".weight_scale") ||
                       name.ends_with(".scale_input") || name.ends_with(".input_scale") ||
                       name.ends_with("scaled_fp8");
    if (!extra) rest.emplace_back(name, tensor);
  }
  if (scales.empty()) return rest;
  for (auto& [name, tensor] : rest) {
    const auto found = scales.find(name);
    if (found == scales.end()) continue;
    const auto& scale = found->second;
    if (scale.numel() != 1 && scale.numel() != tensor.size(0))
      raise<IoError>(origin, ": the scale of ", name, " has ", scale.numel(),
                     " values, neither one nor one per row");
    const auto factor =
        scale.to(at::kFloat)
            .reshape(scale.numel() == 1 ? std::vector<std::int64_t>{}
                                        : std::vector{scale.numel(), std::int64_t{1}});
    tensor = (tensor.to(at::kFloat) * factor).to(at::kBFloat16);
  }
  return rest;
}

/// "vision_model.encoder.layers.3.self_attn.q_proj.weight" is a third of an official tensor.
std::optional<std::pair<std::string, std::size_t>> third_of_qkv(const std::string& name) {
  static const NameRules kJoined(std::vector<NameRule>{
      {"visual.transformer.*.attn.to_qkv.", "vision_model.encoder.layers.*.self_attn."}});
  constexpr std::string_view kParts[] = {"q_proj.", "k_proj.", "v_proj."};
  const auto ours = kJoined.to_ours(name);
  if (!ours) return std::nullopt;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto at = ours->find(kParts[i]);
    if (at != std::string::npos) {
      auto joined = *ours;
      joined.erase(at, kParts[i].size());
      return std::pair(joined, i);
    }
  }
  return std::nullopt;
}

bool has_no_counterpart(WeightKind kind, const std::string& name) {
  if (kind == WeightKind::umt5)
    return name == "encoder.embed_tokens.weight" || name == "spiece_model";
  return kind == WeightKind::clip && name.ends_with("position_ids");
}

at::Tensor official_shape(WeightKind kind, const std::string& name, const at::Tensor& tensor) {
  if (kind != WeightKind::clip) return tensor;
  if (name == "visual.cls_embedding") return tensor.reshape({1, 1, -1});
  if (name == "visual.pos_embedding") return tensor.unsqueeze(0);
  return name == "visual.head" ? tensor.t() : tensor;
}

at::Tensor diffusers_shape(WeightKind kind, const std::string& name, const at::Tensor& tensor) {
  if (kind != WeightKind::clip) return tensor;
  if (name == "visual.cls_embedding") return tensor.flatten();
  if (name == "visual.pos_embedding") return tensor[0];
  return name == "visual.head" ? tensor.t() : tensor;
}

NamedTensors renamed(const NamedTensors& weights, WeightKind kind, const std::string& origin) {
  NamedTensors official;
  std::map<std::string, std::array<at::Tensor, 3>> joined;
  std::string unknown;
  for (const auto& [name, tensor] : weights) {
    if (has_no_counterpart(kind, name)) continue;
    if (kind == WeightKind::clip) {
      if (const auto third = third_of_qkv(name)) {
        joined[third->first].at(third->second) = tensor;
        continue;
      }
    }
    if (auto ours = rules_of(kind).to_ours(name)) {
      official.emplace_back(*ours, official_shape(kind, *ours, tensor));
    } else {
      unknown += "\n  " + name;
    }
  }
  if (!unknown.empty()) raise<IoError>(origin, ": names without an official counterpart:", unknown);
  for (const auto& [name, parts] : joined) {
    for (const auto& part : parts) {
      if (!part.defined())
        raise<IoError>(origin, ": of ", name, " only some of q, k and v are there");
    }
    official.emplace_back(name, at::cat({parts[0], parts[1], parts[2]}));
  }
  return official;
}

}  // namespace

std::optional<WeightKind> weight_kind(const NamedTensors& weights) {
  const auto style = style_of(weights);
  if (!style) return std::nullopt;
  return style->kind;
}

NamedTensors to_official(const NamedTensors& weights, WeightKind kind, const std::string& origin) {
  const auto style = style_of(weights);
  if (!style || style->kind != kind) {
    raise<IoError>(origin, ": not the weights of ", network(kind), " under any naming known here",
                   style ? cat(", but of ", network(style->kind)) : std::string());
  }
  NamedTensors bare;
  for (const auto& [name, tensor] : multiplied_out(weights, origin)) {
    bare.emplace_back(name.starts_with(style->prefix) ? name.substr(style->prefix.size()) : name,
                      tensor);
  }
  return style->naming == WeightNaming::official ? bare : renamed(bare, kind, origin);
}

NamedTensors from_official(const NamedTensors& weights, WeightKind kind, WeightNaming naming) {
  if (naming == WeightNaming::official) return weights;
  NamedTensors theirs;
  for (const auto& [name, tensor] : weights) {
    if (naming == WeightNaming::comfyui) {
      theirs.emplace_back(kind == WeightKind::dit ? std::string(kComfy) + name : name, tensor);
      continue;
    }
    if (kind == WeightKind::clip) {
      if (name.starts_with("textual.") || name == "log_scale") continue;  // another model there
      const auto at = name.find(".attn.to_qkv.");
      if (at != std::string::npos) {
        const auto layer = "vision_model.encoder.layers" + name.substr(18, at - 18) + ".self_attn.";
        const auto end = name.substr(at + 13);
        const auto parts = tensor.chunk(3);
        for (std::size_t i = 0; i < 3; ++i)
          theirs.emplace_back(cat(layer, "qkv"[i], "_proj.", end), parts[i]);
        continue;
      }
    }
    const auto other = rules_of(kind).to_theirs(name);
    if (!other) raise<IoError>(name, ": has no counterpart under diffusers' names");
    theirs.emplace_back(*other, diffusers_shape(kind, name, tensor));
  }
  return theirs;
}

std::optional<std::string> official_layer(const std::string& name) {
  const auto dotted = name + ".";
  auto ours = dit_rules().to_ours(dotted);
  if (!ours && dit_rules().to_theirs(dotted)) ours = dotted;  // official already
  if (!ours) return std::nullopt;
  ours->pop_back();
  return ours;
}

std::optional<std::string> diffusers_layer(const std::string& name) {
  auto theirs = dit_rules().to_theirs(name + ".");
  if (!theirs) return std::nullopt;
  theirs->pop_back();
  return theirs;
}

}  // namespace svi
