#include "svi/model/nests.hpp"

#include <algorithm>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::string_view kWrappers[] = {"module", "_orig_mod", "_fsdp_wrapped_module",
                                          "_checkpoint_wrapped_module", "_forward_module"};

constexpr std::string_view kNests[] = {
    // keys of checkpoints
    "state_dict", "model_state_dict", "module_state_dict", "params", "params_ema", "weights",
    "checkpoint", "ema", "ema_model", "model_ema", "ema_state_dict", "ema_params", "ema_weights",
    "averaged_model", "swa_model", "generator", "generator_ema", "ema_generator",
    "generator_state_dict", "generator_ema_state_dict", "student", "student_ema", "teacher",
    "network", "network_ema", "net", "net_ema", "net_g", "net_g_ema", "denoiser", "denoiser_ema",
    "backbone", "model_averaged",
    // attributes of programs
    "model", "base_model", "diffusion_model", "dit", "dit_ema", "transformer", "transformer_ema",
    "unet", "pipe", "pipeline", "wan", "wan_model", "vae", "vae_ema", "autoencoder",
    "first_stage_model", "text_encoder", "text_encoders", "cond_stage_model", "conditioner",
    "umt5xxl", "t5xxl", "t5", "umt5", "image_encoder", "clip_vision", "clip", "lora",
    "lora_state_dict"};

bool among(const auto& list, std::string_view part) {
  return std::find(std::begin(list), std::end(list), part) != std::end(list);
}

std::vector<std::string_view> parts_of(std::string_view name) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= name.size();) {
    const auto dot = std::min(name.find('.', at), name.size());
    parts.push_back(name.substr(at, dot - at));
    at = dot + 1;
  }
  return parts;
}

std::string listed(const std::vector<std::string>& nests) {
  std::string text;
  for (const auto& nest : nests) text += (text.empty() ? "" : ", ") + shown_nest(nest);
  return text;
}

}  // namespace

std::string without_wrappers(std::string_view name, std::vector<std::string>* taken) {
  std::string kept;
  for (const auto part : parts_of(name)) {
    if (among(kWrappers, part)) {
      if (taken != nullptr && !among(*taken, part)) taken->emplace_back(part);
      continue;
    }
    if (!kept.empty()) kept += '.';
    kept += part;
  }
  return kept;
}

bool is_nest(std::string_view part) { return among(kNests, part) || among(kWrappers, part); }

std::string_view leading_nest(std::string_view name) {
  std::string_view longest;
  const auto look = [&](const auto& list) {
    for (const auto nest : list) {
      const bool fits = name.size() > nest.size() && name.starts_with(nest) &&
                        name[nest.size()] == '_' && nest.size() > longest.size();
      if (fits) longest = nest;
    }
  };
  look(kNests);
  look(kWrappers);
  return longest;
}

std::string shown_nest(const std::string& nest) { return nest.empty() ? "top" : nest; }

bool is_copy(std::string_view nest, std::string_view copy) {
  if (nest.empty()) return copy == "top";
  const auto parts = parts_of(nest), wanted = parts_of(copy);
  return std::search(parts.begin(), parts.end(), wanted.begin(), wanted.end()) != parts.end();
}

std::string choose_nest(const std::vector<std::string>& nests, const std::string& copy,
                        const std::string& what) {
  constexpr const char* kSettings =
      "say which is meant: --set model.copy=NAME for a film or an experiment, --copy NAME for "
      "svi-inspect";
  std::vector<std::string> fitting;
  for (const auto& nest : nests) {
    if (!copy.empty() && (nest == copy || shown_nest(nest) == copy)) return nest;
    if (copy.empty() || is_copy(nest, copy)) fitting.push_back(nest);
  }
  if (fitting.size() == 1) return fitting.front();
  if (fitting.empty())
    raise<IoError>(what, " has no copy '", copy, "'; it has: ", listed(nests), "; ", kSettings);
  raise<IoError>(what, " holds ", fitting.size(), " networks or copies of one: ", listed(fitting),
                 "; ", kSettings);
}

}  // namespace svi
