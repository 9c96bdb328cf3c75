#include "model/lora_key.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "model/name_rules.hpp"
#include "svi/model/nests.hpp"

namespace svi {
namespace {

using Part = LoraKey::Part;

/// What a name says at its end, after the layer.
struct LoraEnding {
  std::string_view text;  // from the dot on
  Part part;
};

constexpr LoraEnding kEndings[] = {
    {".alpha", Part::alpha},      {".lora_alpha", Part::alpha},       {".diff", Part::diff},
    {".diff_b", Part::bias_diff}, {".diff_m", Part::modulation_diff}, {".lora_A", Part::a},
    {".lora_B", Part::b}};
// Between these and "weight" an adapter's name may stand, such as "default".
constexpr LoraEnding kMatrices[] = {{".lora_A.", Part::a},
                                    {".lora_down.", Part::a},
                                    {".lora_B.", Part::b},
                                    {".lora_up.", Part::b},
                                    {".lora.down.", Part::a},
                                    {".lora.up.", Part::b},
                                    {".lora_linear_layer.down.", Part::a},
                                    {".lora_linear_layer.up.", Part::b}};

struct LoraName {
  std::string stem;
  Part part;
};

std::optional<LoraName> split(const std::string& name) {
  for (const auto& matrix : kMatrices) {
    const auto at = name.find(matrix.text);
    if (at == std::string::npos || !name.ends_with("weight")) continue;
    return LoraName{name.substr(0, at), matrix.part};
  }
  for (const auto& ending : kEndings) {
    if (name.ends_with(ending.text))
      return LoraName{name.substr(0, name.size() - ending.text.size()), ending.part};
  }
  return std::nullopt;
}

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// Layers of the transformer with '_' for every dot: "blocks_*_attn1_to_q" is
/// "blocks.*.self_attn.q".
struct Pattern {
  std::string flat, layer;
  bool official;
};

const std::vector<Pattern>& patterns() {
  static const auto kPatterns = [] {
    std::vector<Pattern> all = {{"blocks_*", "blocks.*", true}, {"head", "head", true}};
    for (const auto& rule : dit_rules().all()) {
      auto ours = rule.ours, theirs = rule.theirs;
      for (auto* name : {&ours, &theirs}) {
        if (name->ends_with('.')) name->pop_back();
      }
      if (theirs != ours) all.push_back({with_underscores(theirs), ours, false});
      all.push_back({with_underscores(ours), ours, true});
    }
    return all;
  }();
  return kPatterns;
}

/// The layer's name with the numbers that '*' stands for; nothing if the whole does not fit.
std::optional<std::string> filled(std::string_view flat, const Pattern& pattern) {
  std::string number;
  std::size_t at = 0;
  for (const char c : pattern.flat) {
    if (c == '*') {
      while (at < flat.size() && flat[at] >= '0' && flat[at] <= '9') number += flat[at++];
      if (number.empty()) return std::nullopt;
    } else if (at >= flat.size() || flat[at++] != c) {
      return std::nullopt;
    }
  }
  if (at != flat.size()) return std::nullopt;
  auto layer = pattern.layer;
  if (const auto star = layer.find('*'); star != std::string::npos) layer.replace(star, 1, number);
  return layer;
}

struct Layer {
  std::string name;
  bool official = true;
};

/// A name without nests, as a layer. Blocks and the head as a whole have a modulation only.
std::optional<Layer> layer_named(std::string_view flat, Part part) {
  for (const auto& pattern : patterns()) {
    const bool whole = pattern.layer == "blocks.*" || pattern.layer == "head";
    if (whole != (part == Part::modulation_diff)) continue;
    if (auto name = filled(flat, pattern)) return Layer{std::move(*name), pattern.official};
  }
  return std::nullopt;
}

/// Whose habit it is to put these nests in front.
const char* naming_of(const std::string& nest, bool official) {
  if (!official) return "diffusers";
  const auto has = [&](std::string_view part) {
    return ('.' + nest + '.').find('.' + std::string(part) + '.') != std::string::npos;
  };
  return has("pipe")              ? "SVI"
         : has("base_model")      ? "PEFT"
         : has("diffusion_model") ? "ComfyUI"
         : has("unet")            ? "kohya"
         : has("transformer")     ? "diffusers"
                                  : "bare";
}

}  // namespace

std::string LoraKey::weight() const {
  if (part == Part::modulation_diff) return layer + ".modulation";
  if (part == Part::bias_diff) return layer + ".bias";
  return layer.ends_with("modulation") ? layer : layer + ".weight";
}

std::optional<LoraKey> parse_lora_key(const std::string& name) {
  const auto parts = split(name);
  if (!parts) return std::nullopt;
  const auto flat = with_underscores(without_wrappers(parts->stem));
  std::string_view rest = flat;
  std::string nest;
  for (;;) {
    if (rest.starts_with('_')) {  // of "__", or of "_orig_mod"
      rest.remove_prefix(std::max<std::size_t>(1, leading_nest(rest).size()));
      continue;
    }
    if (auto layer = layer_named(rest, parts->part))
      return LoraKey{std::move(layer->name), parts->part, naming_of(nest, layer->official), nest};
    const auto more = leading_nest(rest);
    if (more.empty()) return std::nullopt;
    nest.append(nest.empty() ? "" : ".").append(more);
    rest.remove_prefix(more.size());
  }
}

bool is_lora_name(const std::string& name) {
  return name.find("lora_") != std::string::npos || split(name) || !other_adapter(name).empty();
}

std::string other_adapter(const std::string& name) {
  static constexpr std::pair<const char*, const char*> kSchemes[] = {
      {"dora_scale", "DoRA"},
      {"lora_magnitude_vector", "DoRA"},
      {".hada_w", "LoHa"},
      {".lokr_", "LoKr"},
      {".oft_", "OFT"},
      {".boft_", "OFT"},
      {"lora_mid", "a LoRA with a middle matrix (LoCon's CP form)"},
      {"lora_embedding_", "a LoRA of an embedding"},
      {".glora_", "GLoRA"},
      {".ia3_l", "IA3"},
      {".diff_r", "a LoRA of a resized layer"},
      {".reshape_weight", "a LoRA of a resized layer"}};
  for (const auto& [part, scheme] : kSchemes) {
    if (name.find(part) != std::string::npos) return scheme;
  }
  const bool bias = name.ends_with(".bias") && (name.find(".lora_A.") != std::string::npos ||
                                                name.find(".lora_B.") != std::string::npos ||
                                                name.find(".lora_up.") != std::string::npos ||
                                                name.find(".lora_down.") != std::string::npos);
  return bias ? "a LoRA with biases" : "";
}

}  // namespace svi
