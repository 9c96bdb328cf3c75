#include <ATen/ATen.h>

#include <iomanip>
#include <iostream>
#include <map>
#include <optional>
#include <set>

#include "inspect.hpp"
#include "svi/core/check.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi::inspect {
namespace {

/// What a file turned out to be, and which of its tensors have no place in that.
struct Finding {
  std::string kind = "unknown";
  std::vector<std::string> facts;
  std::set<std::string> unplaced;
  std::vector<std::string> missing;
  std::vector<std::string> mismatched;
  std::string (*place)(const std::string&) = nullptr;
};

bool has(const NamedTensors& tensors, const std::string& name) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const auto& named) { return named.first == name; });
}

void take(Finding& finding, const LoadReport& report) {
  finding.unplaced.insert(report.unexpected.begin(), report.unexpected.end());
  finding.missing = report.missing;
  finding.mismatched = report.mismatched;
}

std::string dit_place(const std::string& name) {
  static const std::pair<const char*, const char*> kPlaces[] = {
      {"self_attn.", "self-attention"},
      {"cross_attn.k_img", "attention to the image"},
      {"cross_attn.v_img", "attention to the image"},
      {"cross_attn.norm_k_img", "attention to the image"},
      {"cross_attn.", "attention to the text"},
      {"ffn.", "feed-forward"},
      {"norm3", "norm before the text"},
      {"patch_embedding", "latent to tokens"},
      {"text_embedding", "text to tokens"},
      {"time_embedding", "flow time"},
      {"time_projection", "flow time"},
      {"img_emb", "CLIP tokens to tokens"},
      {"head", "tokens to velocity"},
      {"modulation", "scales and shifts by flow time"}};
  for (const auto& [part, place] : kPlaces) {
    if (name.find(part) != std::string::npos) return place;
  }
  return "";
}

std::string vae_place(const std::string& name) {
  if (name.starts_with("latent_")) return "statistics of the latent";
  const bool decoder = name.starts_with("decoder.") || name.starts_with("conv2.");
  std::string place = decoder ? "decoder" : "encoder";
  static const std::pair<const char*, const char*> kPlaces[] = {
      {"time_conv", ": frames"},
      {"resample", ": height and width"},
      {"shortcut", ": residual, width change"},
      {"residual", ": residual"},
      {"to_qkv", ": attention"},
      {"proj", ": attention"},
      {"norm", ": attention"},
      {"head", ": head"},
      {"conv", ": input or latent"}};
  for (const auto& [part, text] : kPlaces) {
    if (name.find(part) != std::string::npos) return place + text;
  }
  return place;
}

std::string lora_place(const std::string& name) {
  const auto adapter = name.find(".lora_");
  auto layer = adapter == std::string::npos ? name : name.substr(0, adapter);
  const auto block = layer.find("blocks.");
  if (block != std::string::npos) layer = layer.substr(block);
  const bool down =
      name.find("lora_A") != std::string::npos || name.find("lora_down") != std::string::npos;
  return adapter == std::string::npos ? "" : (down ? "A of " : "B of ") + layer;
}

Finding as_dit(const NamedTensors& tensors) {
  Finding finding;
  std::optional<WanDitConfig> config;
  bool heads_known = true;
  try {
    config = WanDit::infer(tensors);
  } catch (const Error&) {
    heads_known = false;
    config = WanDit::infer(tensors, 1);
  }
  const WanDit model(*config, at::TensorOptions(at::kMeta));
  take(finding, match(model.parameters(), tensors));
  const bool image = config->in_dim > config->out_dim;
  const auto size = config->dim == 1536 && config->layers == 30   ? " 1.3B"
                    : config->dim == 5120 && config->layers == 40 ? " 14B"
                                                                  : "";
  finding.kind = cat("Wan DiT", image ? " I2V" : " T2V", size);
  finding.facts.push_back(
      cat("dim ", config->dim, ", ", config->layers, " layers, ffn ", config->ffn_dim, ", heads ",
          heads_known ? cat(config->heads) : std::string("not told by the weights")));
  finding.facts.push_back(
      cat("channels ", config->in_dim, " -> ", config->out_dim, ", text ", config->text_dim,
          config->image_dim > 0 ? cat(", CLIP tokens ", config->image_dim) : std::string()));
  finding.place = dit_place;
  return finding;
}

Finding as_vae(const NamedTensors& tensors) {
  Finding finding;
  const auto config = WanVae::infer(tensors);
  auto model = WanVae(config, at::Device(at::kMeta)).parameters();
  for (const auto* name : {"latent_mean", "latent_std"}) {
    if (has(tensors, name))
      model.emplace_back(name, at::empty({config.z_dim}, at::TensorOptions(at::kMeta)));
  }
  take(finding, match(model, tensors));
  finding.kind = "Wan VAE";
  std::string levels;
  for (const auto mult : config.dim_mult)
    levels += cat(levels.empty() ? "" : " ", mult * config.dim);
  finding.facts.push_back(cat("z ", config.z_dim, ", channels ", levels, ", ",
                              config.num_res_blocks, " residual blocks per level"));
  finding.facts.push_back(cat("strides ", config.temporal_stride(), " x ", config.spatial_stride(),
                              " x ", config.spatial_stride(), " (frames, height, width)"));
  finding.place = vae_place;
  return finding;
}

Finding as_lora(const NamedTensors& tensors) {
  Finding finding;
  finding.kind = "LoRA";
  finding.place = lora_place;
  std::set<std::int64_t> ranks;
  std::set<std::string> layers;
  for (const auto& [name, tensor] : tensors) {
    const auto place = lora_place(name);
    if (place.empty()) {
      if (!name.ends_with("alpha")) finding.unplaced.insert(name);
      continue;
    }
    if (place[0] == 'A' && tensor.dim() == 2) ranks.insert(tensor.size(0));
    layers.insert(place.substr(5));
  }
  std::string text;
  for (const auto rank : ranks) text += cat(text.empty() ? "" : " ", rank);
  finding.facts.push_back(
      cat("rank ", text.empty() ? "unknown" : text, ", ", layers.size(), " layers"));
  try {
    const auto config = Lora::infer(tensors);
    finding.facts.push_back(cat("fits a Wan DiT; alpha ", config.alpha));
  } catch (const Error&) {
    finding.facts.push_back("names are not those of an adapter of a Wan DiT");
  }
  return finding;
}

std::string umt5_place(const std::string& name) {
  if (name.starts_with("token_embedding")) return "words";
  if (name.find("pos_embedding") != std::string::npos) return "attention: relative places";
  if (name.find("attn.") != std::string::npos) return "attention";
  return name.find("ffn.") != std::string::npos ? "feed-forward" : "norm";
}

Finding as_umt5(const NamedTensors& tensors) {
  Finding finding;
  const auto config = Umt5Encoder::infer(tensors);
  take(finding, match(Umt5Encoder(config).parameters(), tensors));
  finding.kind = cat("umT5 encoder", config.dim == 4096 && config.layers == 24 ? " XXL" : "");
  finding.facts.push_back(cat("dim ", config.dim, ", ", config.layers, " layers, ffn ",
                              config.ffn_dim, ", heads ", config.heads, ", vocabulary ",
                              config.vocabulary));
  finding.place = umt5_place;
  return finding;
}

bool is_text_tower(const std::string& name) {
  return name.starts_with("textual.") || name == "log_scale";
}

std::string clip_place(const std::string& name) {
  if (is_text_tower(name)) return "text tower: not used";
  if (name.find("attn.") != std::string::npos) return "attention";
  if (name.find("mlp.") != std::string::npos) return "feed-forward";
  if (name.find("norm") != std::string::npos) return "norm";
  return name == "visual.head" ? "projection: not used" : "pixels to tokens";
}

Finding as_clip(const NamedTensors& tensors) {
  Finding finding;
  const auto config = ClipVision::infer(tensors);
  take(finding, match(ClipVision(config).parameters(), tensors));
  std::erase_if(finding.unplaced, is_text_tower);
  finding.kind = cat("CLIP image tower", config.dim == 1280 && config.layers == 32 ? " ViT-H" : "");
  finding.facts.push_back(cat("dim ", config.dim, ", ", config.layers, " layers, images ",
                              config.image, " x ", config.image, ", patches of ", config.patch));
  finding.place = clip_place;
  return finding;
}

/// A network under names of others, or behind wrappers.
std::optional<Finding> under_other_names(const NamedTensors& tensors) {
  const auto kind = weight_kind(tensors);
  if (!kind) return std::nullopt;
  static const std::map<WeightKind, const char*> kNetworks = {
      {WeightKind::dit, "transformer"},
      {WeightKind::vae, "video codec"},
      {WeightKind::umt5, "text encoder umT5"},
      {WeightKind::clip, "image encoder CLIP"}};
  Finding finding;
  finding.kind = cat("Wan ", kNetworks.at(*kind), ", not by its official names");
  const auto official = to_official(tensors, *kind, "these names");
  finding.facts.push_back(cat("read as it is, as ", official.size(),
                              " official tensors; svi-inspect convert writes those"));
  return finding;
}

Finding recognise(const NamedTensors& tensors) {
  const auto is_adapter = [](const auto& named) {
    return named.first.find(".lora_") != std::string::npos;
  };
  try {
    if (std::any_of(tensors.begin(), tensors.end(), is_adapter)) return as_lora(tensors);
    if (has(tensors, "patch_embedding.weight") && has(tensors, "head.head.weight"))
      return as_dit(tensors);
    if (has(tensors, "encoder.conv1.weight") && has(tensors, "conv2.weight"))
      return as_vae(tensors);
    if (has(tensors, "visual.pos_embedding")) return as_clip(tensors);
    if (has(tensors, "blocks.0.pos_embedding.embedding.weight")) return as_umt5(tensors);
    if (auto other = under_other_names(tensors)) return *other;
  } catch (const Error& error) {
    Finding finding;
    finding.facts.push_back(error.what());
    return finding;
  }
  return {};
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const auto size : shape) text += cat(text.empty() ? "" : ", ", size);
  return "[" + text + "]";
}

}  // namespace

void list(const std::string& path, bool with_tensors, std::ostream& out) {
  const auto weights = WeightFiles::open(path);
  const auto& tensors = weights.tensors;
  const auto finding = recognise(tensors);
  std::int64_t values = 0;
  std::size_t longest = 4;
  std::map<std::string, std::int64_t> dtypes;
  for (const auto& [name, tensor] : tensors) {
    values += tensor.numel();
    dtypes[c10::toString(tensor.scalar_type())] += tensor.numel();
    longest = std::max(longest, name.size());
  }
  out << path << "\nkind: " << finding.kind << '\n';
  for (const auto& fact : finding.facts) out << "  " << fact << '\n';
  if (weights.files.size() > 1 || weights.container != "safetensors")
    out << "container: " << weights.files.size() << " " << weights.container << " file(s)\n";
  out << "total: " << tensors.size() << " tensors, " << values << " values, " << weights.bytes()
      << " bytes\n";
  for (const auto& [dtype, count] : dtypes) out << "  " << dtype << ": " << count << " values\n";
  for (const auto& [key, value] : weights.metadata)
    out << "metadata: " << key << " = " << value << '\n';
  for (const auto& name : weights.ignored) out << "no tensor: " << name << '\n';
  if (finding.place != nullptr) {
    out << "mapped: " << tensors.size() - finding.unplaced.size() << " of " << tensors.size()
        << " tensors\n";
  }
  for (const auto& name : finding.missing) out << "missing: " << name << '\n';
  for (const auto& text : finding.mismatched) out << "wrong shape: " << text << '\n';
  if (!with_tensors) return;
  longest = std::min<std::size_t>(longest, 100);
  out << '\n';
  for (const auto& [name, tensor] : tensors) {
    const bool unplaced = finding.unplaced.count(name) != 0;
    out << std::left << std::setw(static_cast<int>(longest)) << name << "  " << std::setw(14)
        << c10::toString(tensor.scalar_type()) << ' ' << std::setw(24)
        << shape_text(tensor.sizes().vec());
    if (finding.place != nullptr) out << " -> " << (unplaced ? "nothing" : finding.place(name));
    out << '\n';
  }
}

}  // namespace svi::inspect
