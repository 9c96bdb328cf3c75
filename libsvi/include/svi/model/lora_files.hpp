#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What an adapter file does to one tensor of the transformer: W + strength (scale b a +
/// difference).
struct LoraUpdate {
  std::string weight;          // official name: blocks.0.self_attn.q.weight, or a bias, a norm, ...
  at::Tensor a = {};           // [rank, in]; undefined where there is only a difference
  at::Tensor b = {};           // [out, rank]
  double scale = 1;            // alpha / rank, where the file tells alpha
  at::Tensor difference = {};  // of the tensor's shape
};

/// An adapter out of a file of any known naming: the SVI releases, PEFT, ComfyUI and kijai (with
/// dense differences, as step-distilled adapters have them), kohya and musubi-tuner, diffusers.
/// Ranks may differ between layers; any linear layer, norm or bias of the transformer may be
/// adapted.
struct SVI_EXPORT LoraFile {
  std::string origin;               // for messages
  std::string naming;               // whose names they were
  std::vector<LoraUpdate> updates;  // by official names, sorted
  NamedTensors others;              // tensors beside the adapter: dwpose_embedding.* of SVI-Dance

  /// Throws IoError naming `origin` and the tensor: an A without B, ranks that do not fit, names
  /// that are neither an adapter's nor a known companion's.
  static LoraFile parse(const NamedTensors& tensors, const std::string& origin);
  /// The same from any container that open_weights takes.
  static LoraFile open(const std::string& path);
};

/// A file and how strongly it acts.
struct WeightedLora {
  LoraFile file;        // as read
  double strength = 1;  // factor on its scale
};

/// Compares an adapter with the transformer's tensors, names and shapes alone. Throws IoError as
/// merge_lora does.
SVI_EXPORT LoadReport fit_lora(const NamedTensors& tensors, const LoraFile& file,
                               bool allow_unmatched = false);

/// Adds the adapter to the transformer's weights for good: computed in fp32, rounded once to the
/// weight's dtype. Merge before weights are stored in 8 bits. Throws IoError naming each update
/// that the model has no place for (or passes it over with `allow_unmatched`, in the report's
/// `unexpected`); nothing was merged then.
SVI_EXPORT LoadReport merge_lora(WanDit& dit, const WeightedLora& lora,
                                 bool allow_unmatched = false);

/// Several adapters as one that can be attached and taken off again, W + sum of strength scale B A:
/// its rank is the sum of theirs, its own scale 1. Throws IoError for dense differences and for
/// layers outside the blocks, which only merging can apply.
SVI_EXPORT std::shared_ptr<Lora> compose_loras(const std::vector<WeightedLora>& loras,
                                               const std::vector<LinearShape>& linears);

}  // namespace svi
