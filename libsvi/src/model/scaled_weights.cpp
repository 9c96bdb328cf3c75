#include "model/scaled_weights.hpp"

#include <ATen/ATen.h>

#include <map>
#include <set>
#include <string_view>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr const char* kScaleRemedy =
    "; the file is damaged or was cut in parts: download it again, or take the unscaled weights";

/// What a name says about the weight beside it.
enum class Role { weight, scale, mark, packed };

struct ScaleEnding {
  std::string_view text;
  Role role;
};

constexpr ScaleEnding kScaleEndings[] = {
    {".scale_weight", Role::scale},  // ComfyUI's first form, kijai
    {".weight_scale", Role::scale},  // ComfyUI's second form, compressed-tensors
    {".scale_input", Role::mark},
    {".input_scale", Role::mark},
    {".comfy_quant", Role::mark},
    {".weight_scale_2", Role::packed},  // NVFP4
    {".weight_scale_inv", Role::packed},
    {".weight_zero_point", Role::packed},
    {".qweight", Role::packed},  // GPTQ, AWQ, Nunchaku
    {".qzeros", Role::packed},
    {".wscales", Role::packed},
    {".SCB", Role::packed},  // bitsandbytes
    {".absmax", Role::packed},
    {".quant_map", Role::packed},
    {".weight._data", Role::packed},  // Quanto
    {".weight._scale", Role::packed}};

struct Reading {
  Role role = Role::weight;
  std::string weight;  // of the scale
};

Reading reading_of(const std::string& name) {
  if (name == "scaled_fp8" || name.ends_with(".scaled_fp8")) return {Role::mark, {}};
  if (name.find(".quant_state.") != std::string::npos) return {Role::packed, {}};
  for (const auto& [text, role] : kScaleEndings) {
    if (name.ends_with(text) && name.size() > text.size())
      return {role, name.substr(0, name.size() - text.size()) + ".weight"};
  }
  return {};
}

bool is_fp8(const at::Tensor& tensor) {
  return tensor.is_floating_point() && tensor.element_size() == 1;
}
bool is_whole(const at::Tensor& tensor) {
  return at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true);
}

/// Whether files that scale their fp8 weights scale this one: matrices and kernels have scales;
/// norms, biases and tables of an embedding are plain numbers in every form.
bool takes_scale(const std::string& name, const at::Tensor& tensor) {
  for (const std::string_view table :
       {"shared.weight", "embed_tokens.weight", "token_embedding.weight",
        "relative_attention_bias.weight", "pos_embedding.embedding.weight"}) {
    if (name.ends_with(table)) return false;
  }
  return tensor.dim() > 1;
}

/// The scale as it multiplies a weight: one number, or one per row.
at::Tensor factor_of(const at::Tensor& scale, const at::Tensor& weight, const std::string& where) {
  if (is_whole(scale)) raise<IoError>(where, "its scale is of whole numbers", kScaleRemedy);
  const bool one = scale.numel() == 1;
  const bool rows = weight.dim() > 0 && scale.dim() > 0 && scale.size(0) == weight.size(0) &&
                    scale.numel() == scale.size(0);
  if (!one && !rows) {
    raise<IoError>(where, "its scale ", scale.sizes(), " is neither one number nor one per row of ",
                   weight.sizes(), "; svi reads no other kind: take the unscaled weights");
  }
  const auto factor = scale.to(at::kFloat);
  if (!factor.isfinite().all().item<bool>() || (factor < 0).any().item<bool>())
    raise<IoError>(where, "its scale is negative or no number", kScaleRemedy);
  if (one) return factor.reshape({});
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  shape[0] = scale.numel();
  return factor.reshape(shape);
}

at::Tensor scaled(const at::Tensor& weight, const at::Tensor& scale, const std::string& where,
                  bool values) {
  const auto factor = factor_of(scale, weight, where);
  const bool eight_bits = weight.element_size() == 1;
  if (!eight_bits) {
    // Multiplied out already, or not? Only a scale of 1 leaves no doubt.
    if ((factor == 1).all().item<bool>()) return weight;
    raise<IoError>(where, "is of ", weight.scalar_type(), ", but has a scale beside it",
                   kScaleRemedy);
  }
  if (!values) return at::empty(weight.sizes(), at::TensorOptions(at::kMeta).dtype(at::kBFloat16));
  return (weight.to(at::kFloat) * factor).to(at::kBFloat16);
}

}  // namespace

NamedTensors multiplied_out(const NamedTensors& weights, const std::string& origin, bool marked,
                            bool values) {
  std::map<std::string, at::Tensor> scales;
  NamedTensors rest;
  for (const auto& [name, tensor] : weights) {
    const auto reading = reading_of(name);
    const auto where = cat(origin, ": tensor '", name, "': ");
    switch (reading.role) {
      case Role::weight:
        rest.emplace_back(name, tensor);
        break;
      case Role::mark:
        marked = true;
        break;
      case Role::packed:
        raise<IoError>(where, "belongs to weights packed in a form that svi does not read; take ",
                       "those in fp16, bf16, fp32 or fp8");
      case Role::scale: {
        marked = true;
        const auto [known, fresh] = scales.emplace(reading.weight, tensor);
        if (!fresh && !at::equal(known->second.flatten(), tensor.flatten()))
          raise<IoError>(where, "is a second scale of ", reading.weight, ", unlike the first",
                         kScaleRemedy);
      }
    }
  }
  std::set<std::string> used;
  for (auto& [name, tensor] : rest) {
    const auto where = cat(origin, ": tensor '", name, "': ");
    const auto found = scales.find(name);
    const bool is_weight = name == "weight" || name.ends_with(".weight");
    if (found != scales.end()) {
      tensor = scaled(tensor, found->second, where, values);
      used.insert(name);
    } else if (is_weight && is_whole(tensor)) {
      raise<IoError>(where, "is of whole numbers (", tensor.scalar_type(),
                     ") and has no scale beside it (scale_weight, weight_scale)", kScaleRemedy);
    } else if (marked && is_weight && is_fp8(tensor) && takes_scale(name, tensor)) {
      raise<IoError>(where, "has no scale beside it (scale_weight, weight_scale), but this file's ",
                     "fp8 weights are scaled", kScaleRemedy);
    }
  }
  for (const auto& [weight, scale] : scales) {
    if (!used.contains(weight))
      raise<IoError>(origin, ": tensor '", weight, "' is missing, but its scale is there",
                     kScaleRemedy);
  }
  return rest;
}

}  // namespace svi
