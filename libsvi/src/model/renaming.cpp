#include "model/renaming.hpp"

#include <ATen/ATen.h>

#include <array>
#include <map>
#include <set>

#include "model/name_rules.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::string_view kComfy = "model.diffusion_model.";

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

/// Parts of a file's whole model that this network has no use for.
bool is_unused(WeightKind kind, const std::string& name) {
  const auto begins = [&](std::string_view start) { return name.starts_with(start); };
  if (kind == WeightKind::umt5) {
    const bool decoder = begins("decoder.") && name != "decoder.embed_tokens.weight";
    return decoder || name == "lm_head.weight" || name == "spiece_model";
  }
  return kind == WeightKind::clip && (begins("text_model.") || name == "text_projection.weight" ||
                                      name == "logit_scale" || name.ends_with("position_ids"));
}

/// transformers ties the embedding of words: each of these names is the same tensor.
bool is_word_table(WeightKind kind, const std::string& name) {
  return kind == WeightKind::umt5 &&
         (name == "shared.weight" || name == "encoder.embed_tokens.weight" ||
          name == "decoder.embed_tokens.weight");
}

/// Whether two copies of a table agree, by rows spread over it: tables have gigabytes.
bool agree(const at::Tensor& a, const at::Tensor& b) {
  constexpr std::int64_t kRows = 64;
  if (a.sizes() != b.sizes()) return false;
  if (a.is_meta() || a.numel() == 0 || a.data_ptr() == b.data_ptr()) return true;
  const auto step = std::max<std::int64_t>(1, a.size(0) / kRows);
  return at::equal(a.slice(0, 0, a.size(0), step).to(at::kFloat),
                   b.slice(0, 0, b.size(0), step).to(at::kFloat));
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

}  // namespace

Renamed official_names(const NamedTensors& weights, WeightKind kind, const std::string& origin) {
  Renamed result;
  std::map<std::string, std::array<at::Tensor, 3>> joined;
  std::string unknown;
  std::pair<std::string, at::Tensor> words;
  for (const auto& [name, tensor] : weights) {
    if (is_unused(kind, name)) {
      result.unused.push_back(name);
      continue;
    }
    if (is_word_table(kind, name)) {
      result.names.emplace(name, "token_embedding.weight");
      if (words.second.defined()) {
        if (!agree(words.second, tensor))
          raise<IoError>(origin, ": ", name, " and ", words.first,
                         " are one tensor in this model, but differ in the file");
        continue;
      }
      words = {name, tensor};
      result.tensors.emplace_back("token_embedding.weight", tensor);
      continue;
    }
    if (kind == WeightKind::clip) {
      if (const auto third = third_of_qkv(name)) {
        joined[third->first].at(third->second) = tensor;
        result.names.emplace(name, third->first);
        continue;
      }
    }
    if (auto ours = rules_of(kind).to_ours(name)) {
      result.names.emplace(name, *ours);
      result.tensors.emplace_back(*ours, official_shape(kind, *ours, tensor));
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
    result.tensors.emplace_back(name, at::cat({parts[0], parts[1], parts[2]}));
  }
  return result;
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

std::optional<std::string> diffusers_layer(const std::string& name) {
  auto theirs = dit_rules().to_theirs(name + ".");
  if (!theirs) return std::nullopt;
  theirs->pop_back();
  return theirs;
}

}  // namespace svi
