#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What an adapter file does to one tensor of the transformer: W + strength (scale b a +
/// difference).
struct SVI_EXPORT LoraUpdate {
  std::string weight;                // official name: blocks.0.self_attn.q.weight, or a bias, ...
  at::Tensor a = {};                 // [rank, in]; undefined where there is only a difference
  at::Tensor b = {};                 // [out, rank]
  std::optional<double> alpha = {};  // as the file tells it
  double scale = 1;                  // alpha / rank; 1 where the file tells no alpha
  at::Tensor difference = {};        // of the tensor's shape

  /// 0 where there is only a difference.
  std::int64_t rank() const;
};

/// An adapter out of a file of any known naming: the SVI releases, PEFT, ComfyUI and kijai (with
/// dense differences, as step-distilled adapters have them), kohya and musubi-tuner, diffusers, and
/// mixtures of them. Ranks and alphas may differ between layers; any linear layer, norm or bias of
/// the transformer may be adapted.
struct SVI_EXPORT LoraFile {
  std::string origin;               // for messages
  std::string naming;               // whose names they were: "kohya", "PEFT and kohya"
  std::vector<LoraUpdate> updates;  // by official names, sorted
  std::map<std::string, std::string>
      names;                 // in the file -> what it is: "A of blocks.0.ffn.0.weight"
  NamedTensors others;       // tensors beside the adapter: dwpose_embedding.*
  std::string alpha_origin;  // what told the alpha of layers without one: "its metadata"; or empty
  std::vector<std::string> left_out;  // other copies, an optimiser's state

  /// Throws IoError naming `origin` and the tensor: an A without B, ranks that do not fit, names
  /// that are neither an adapter's nor a known companion's, several copies and no choice.
  static LoraFile parse(const NamedTensors& tensors, const std::string& origin,
                        const std::string& copy = {});
  /// The same from any container that open_weights takes. Layers without an alpha get that of the
  /// metadata (files written here, diffusers) or of PEFT's adapter_config.json beside the file.
  static LoraFile open(const std::string& path, const std::string& copy = {});
  /// The same out of files that are open.
  static LoraFile read(const WeightFiles& files, const std::string& path,
                       const std::string& copy = {});

  /// An adapter in memory, as its file would be read: to merge it. Shares its tensors.
  static LoraFile of(const Lora& lora, const std::string& origin);

  /// What a user should know before such an adapter acts: layers with alpha 0 change nothing.
  /// Empty if nothing.
  std::string warning() const;
};

/// Whether the tensors are those of an adapter, readable or not.
SVI_EXPORT bool is_lora(const NamedTensors& tensors);

/// A file and how strongly it acts.
struct WeightedLora {
  LoraFile file;        // as read
  double strength = 1;  // factor on its scale
};

/// An adapter as users name it: FILE, or FILE=STRENGTH where there is no file of the whole name.
struct LoraChoice {
  std::filesystem::path path;  // of the file
  double strength = 1;         // factor of all its changes
};

/// Reads such a text; a path that is not there is looked for in `folder`. Throws ConfigError or
/// IoError that begin with `setting` ("--lora") for a strength that is no finite number and a file
/// that is nowhere.
SVI_EXPORT LoraChoice lora_choice(const std::string& text, const std::string& setting,
                                  const std::filesystem::path& folder = {});

/// Which updates have a place among the transformer's parameters (`loaded`), which none
/// (`unexpected`), and which one of another size (`mismatched`); touches no data.
SVI_EXPORT LoadReport match_lora(const NamedTensors& parameters, const LoraFile& file);
/// The same, but throws IoError where something does not fit, as merging does.
SVI_EXPORT LoadReport fit_lora(const NamedTensors& tensors, const LoraFile& file,
                               bool allow_unmatched = false);

/// Adds the adapter to the transformer's weights for good: computed in fp32, rounded once to the
/// weight's dtype. Merge before weights are stored in 8 bits. Throws IoError naming each update
/// that the model has no place for (or passes it over with `allow_unmatched`, in the report's
/// `unexpected`); nothing was merged then.
SVI_EXPORT LoadReport merge_lora(WanDit& dit, const WeightedLora& lora,
                                 bool allow_unmatched = false);

/// Throws ConfigError where a weight that the adapter changes is kept in 8 bits, which would round
/// the change away.
SVI_EXPORT void check_merging(const NamedTensors& parameters, const LoraFile& file);

/// Throws IoError where an adapter does more than one kept apart can do (see compose_loras).
SVI_EXPORT void check_apart(const LoraFile& file, const std::vector<LinearShape>& linears);

/// Several adapters as one that can be attached and taken off again, W + sum of strength scale B A:
/// its rank is the sum of theirs, its own scale 1. Throws IoError for dense differences and for
/// layers outside the blocks, which only merging can apply.
SVI_EXPORT std::shared_ptr<Lora> compose_loras(const std::vector<WeightedLora>& loras,
                                               const std::vector<LinearShape>& linears);

}  // namespace svi
