#pragma once

#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Which network a file's tensors belong to.
enum class WeightKind { dit, vae, umt5, clip };
inline std::vector<std::string> enum_names(WeightKind) { return {"dit", "vae", "umt5", "clip"}; }

/// Whose names a file's tensors have.
enum class WeightNaming {
  official,   // Wan 2.1's own
  diffusers,  // those of diffusers and transformers, which ComfyUI's encoders have, too
  comfyui,    // official names behind "model.diffusion_model." (transformers only)
};
inline std::vector<std::string> enum_names(WeightNaming) {
  return {"official", "diffusers", "comfyui"};
}

/// What the names say; nothing for something else, such as an adapter.
SVI_EXPORT std::optional<WeightKind> weight_kind(const NamedTensors& weights);

/// The same weights by their official names. They may have any naming and any wrapper (`model.`,
/// `diffusion_model.`, `pipe.dit.`, `module.`, ...). Data is shared where it is the
/// same; separate q, k and v of a CLIP tower are joined. fp8 weights with a scale beside them
/// (`NAME.scale_weight`) are multiplied out to bf16, and the markers dropped. Throws IoError naming
/// `origin` and each name that has no official counterpart.
SVI_EXPORT NamedTensors to_official(const NamedTensors& weights, WeightKind kind,
                                    const std::string& origin);

/// Official names to another naming. Throws IoError for a name that has no counterpart there.
SVI_EXPORT NamedTensors from_official(const NamedTensors& weights, WeightKind kind,
                                      WeightNaming naming);

/// A layer of the transformer (no ".weight" at its end) by its official name, given diffusers' or
/// the official one; nothing if it is neither.
SVI_EXPORT std::optional<std::string> official_layer(const std::string& name);
/// The other way.
SVI_EXPORT std::optional<std::string> diffusers_layer(const std::string& name);

}  // namespace svi
