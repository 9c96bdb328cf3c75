#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/io/weight_files.hpp"
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

/// One network's weights by their official names, and how they stood in the file.
struct SVI_EXPORT OfficialWeights {
  WeightKind kind = WeightKind::dit;             // which network it is
  WeightNaming naming = WeightNaming::official;  // whose names the file has
  std::string nest;                              // what all names began with: "generator_ema.model"
  std::vector<std::string> wrappers;         // taken out of names: "_fsdp_wrapped_module", "module"
  NamedTensors tensors;                      // by official names
  std::map<std::string, std::string> names;  // in the file -> official; no scales, no marks
  std::vector<std::string> left_out;  // of the file: other networks, other copies, optimisers
  bool scaled = false;                // whether 8-bit weights were multiplied by their scales

  /// "from generator_ema; without module, _orig_mod; ..." for people; empty where all is plain.
  std::string text() const;
};

/// Finds a network in a file, whatever naming, nests (`state_dict`, `generator_ema`, `model`,
/// `diffusion_model`, ... in any order and depth) and wrappers (`module.`, `_orig_mod.`, ...
/// anywhere in a name) it has. Data is shared where it is the same; separate q, k and v of a CLIP
/// tower are joined; fp8 weights with scales beside them are multiplied out to bf16.
///
/// Without `kind` the file says which network it is. `copy` chooses where a file holds several; a
/// file with one network of the kind needs no choice, but a transformer has to fit it. Without
/// `values`, scaled 8-bit weights are checked, but have shapes only (`meta`) afterwards. Throws
/// IoError naming `origin`: nothing of that kind, several and no choice, a scale missing, each name
/// that has no official counterpart.
SVI_EXPORT OfficialWeights read_official(const WeightFiles& files, const std::string& origin,
                                         std::optional<WeightKind> kind = std::nullopt,
                                         const std::string& copy = {}, bool values = true);
/// The same out of a file, a set of shards or a folder; reads headers only.
SVI_EXPORT OfficialWeights open_official(const std::filesystem::path& path,
                                         std::optional<WeightKind> kind = std::nullopt,
                                         const std::string& copy = {}, bool values = true);

/// What the names say; nothing for something else, such as an adapter.
SVI_EXPORT std::optional<WeightKind> weight_kind(const NamedTensors& weights);

/// The tensors of `read_official`.
SVI_EXPORT NamedTensors to_official(const NamedTensors& weights, WeightKind kind,
                                    const std::string& origin);

/// Official names to another naming. Throws IoError for a name that has no counterpart there.
SVI_EXPORT NamedTensors from_official(const NamedTensors& weights, WeightKind kind,
                                      WeightNaming naming);

/// A layer of the transformer (no ".weight" at its end) by diffusers' name, given the official one;
/// nothing for any other name.
SVI_EXPORT std::optional<std::string> diffusers_layer(const std::string& name);

}  // namespace svi
