#include "model/lora_key.hpp"

#include <cstring>
#include <string_view>

#include "svi/model/key_maps.hpp"

namespace svi {
namespace {

using Part = LoraKey::Part;

/// What a name says at its end, after the layer.
struct Ending {
  std::string_view text;  // from the dot on
  Part part;
};

constexpr Ending kEndings[] = {{".alpha", Part::alpha},
                               {".diff", Part::diff},
                               {".diff_b", Part::bias_diff},
                               {".diff_m", Part::modulation_diff}};
// Between these and "weight" an adapter's name may stand, such as "default".
constexpr Ending kMatrices[] = {{".lora_A.", Part::a},
                                {".lora_down.", Part::a},
                                {".lora_B.", Part::b},
                                {".lora_up.", Part::b}};

struct Split {
  std::string stem;
  Part part;
};

std::optional<Split> split(const std::string& name) {
  for (const auto& matrix : kMatrices) {
    const auto at = name.find(matrix.text);
    if (at == std::string::npos || !name.ends_with("weight")) continue;
    return Split{name.substr(0, at), matrix.part};
  }
  for (const auto& ending : kEndings) {
    if (name.ends_with(ending.text))
      return Split{name.substr(0, name.size() - ending.text.size()), ending.part};
  }
  return std::nullopt;
}

/// "blocks_0_self_attn_k_img" -> "blocks.0.self_attn.k_img": an underscore is a dot but within these
/// words.
std::string with_dots(std::string name) {
  constexpr std::string_view kWords[] = {"self_attn",       "cross_attn",     "k_img",
                                         "v_img",           "norm_q",         "norm_k",
                                         "patch_embedding", "text_embedding", "time_embedding",
                                         "time_projection", "img_emb",        "norm_k_img"};
  std::string dotted;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t length = 1;
    for (const auto word : kWords) {
      const auto end = at + word.size();
      const bool whole = (at == 0 || name[at - 1] == '_') && name.compare(at, word.size(), word) == 0 &&
                         (end == name.size() || name[end] == '_');
      if (whole && word.size() > length) length = word.size();
    }
    dotted += length == 1 && name[at] == '_' ? "." : name.substr(at, length);
    at += length;
  }
  return dotted;
}

}  // namespace

std::optional<LoraKey> parse_lora_key(const std::string& name) {
  const auto parts = split(name);
  if (!parts) return std::nullopt;
  struct Wrapper {
    const char* prefix;
    const char* naming;
  };
  constexpr Wrapper kWrappers[] = {
      {"pipe.dit.", "SVI"},          {"base_model.model.", "PEFT"}, {"diffusion_model.", "ComfyUI"},
      {"transformer.", "diffusers"}, {"lora_unet_", "kohya"},       {"", "bare"}};
  for (const auto& wrapper : kWrappers) {
    // Trainers put more in front: model., module., _orig_mod., lora_unet__.
    const auto at = parts->stem.find(wrapper.prefix);
    if (at == std::string::npos) continue;
    auto layer = parts->stem.substr(at + std::strlen(wrapper.prefix));
    if (std::strcmp(wrapper.prefix, "lora_unet_") == 0) layer = with_dots(layer);
    if (layer.starts_with("model.")) layer = layer.substr(6);
    // The modulation of a block is no layer, but ".diff_m" changes it.
    if (parts->part == Part::modulation_diff && layer.starts_with("blocks."))
      return LoraKey{layer, parts->part, wrapper.naming};
    if (const auto official = official_layer(layer))
      return LoraKey{*official, parts->part, *official == layer ? wrapper.naming : "diffusers"};
  }
  return std::nullopt;
}

}  // namespace svi
