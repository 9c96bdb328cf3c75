#pragma once

#include <optional>
#include <string>

namespace svi {

/// The name of an adapter's tensor in a file, taken apart.
struct LoraKey {
  enum class Part { a, b, alpha, diff, bias_diff, modulation_diff };
  std::string layer;  // official name: blocks.0.self_attn.q
  Part part = Part::a;
  const char* naming = "";  // whose name it is, for people
};

/// Knows the names of the SVI releases (pipe.dit....lora_A.default.weight), PEFT
/// (base_model.model....lora_A.weight), ComfyUI and kijai (diffusion_model....lora_A / lora_down,
/// .alpha, .diff, .diff_b, .diff_m), kohya and musubi-tuner (lora_unet_blocks_0_self_attn_q.lora_down)
/// and diffusers (transformer.blocks.0.attn1.to_q.lora_A). Nothing for any other name.
std::optional<LoraKey> parse_lora_key(const std::string& name);

}  // namespace svi
