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
  std::string nest;         // what stood in front: "generator_ema.model"

  /// Official name of the tensor that it changes: blocks.0.self_attn.q.weight.
  std::string weight() const;
};

/// Knows the names of the SVI releases (pipe.dit....lora_A.default.weight), PEFT
/// (base_model.model....lora_A.weight), ComfyUI and kijai (diffusion_model....lora_A / lora_down,
/// .alpha, .diff, .diff_b, .diff_m), kohya and musubi-tuner
/// (lora_unet_blocks_0_self_attn_q.lora_down) and diffusers
/// (transformer.blocks.0.attn1.to_q.lora_A), behind any nests and wrappers, and any mixture of
/// them: dots and underscores between the parts of a layer's name mean the same. Nothing for any
/// other name.
std::optional<LoraKey> parse_lora_key(const std::string& name);

/// Whether a name ends as an adapter's does, whichever layer it is of.
bool is_lora_name(const std::string& name);

/// The scheme of an adapter that is no sum of A and B, by a tensor's name ("DoRA", "LoKr", ...);
/// empty for any other name.
std::string other_adapter(const std::string& name);

}  // namespace svi
