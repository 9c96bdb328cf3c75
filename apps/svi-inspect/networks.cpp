#include "networks.hpp"

#include <ATen/ATen.h>

#include <optional>

#include "svi/core/check.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi::inspect {
namespace {

bool has(const NamedTensors& tensors, const std::string& name) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const auto& named) { return named.first == name; });
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

Network as_dit(const NamedTensors& tensors) {
  Network network;
  std::optional<WanDitConfig> config;
  bool heads_known = true;
  try {
    config = WanDit::infer(tensors);
  } catch (const Error&) {
    heads_known = false;
    config = WanDit::infer(tensors, 1);
  }
  network.report = match(WanDit(*config, at::TensorOptions(at::kMeta)).parameters(), tensors);
  const bool image = config->in_dim > config->out_dim;
  const auto size = config->dim == 1536 && config->layers == 30   ? " 1.3B"
                    : config->dim == 5120 && config->layers == 40 ? " 14B"
                                                                  : "";
  network.kind = cat("Wan DiT", image ? " I2V" : " T2V", size);
  network.facts.push_back(
      cat("dim ", config->dim, ", ", config->layers, " layers, ffn ", config->ffn_dim, ", heads ",
          heads_known ? cat(config->heads) : std::string("not told by the weights")));
  network.facts.push_back(
      cat("channels ", config->in_dim, " -> ", config->out_dim, ", text ", config->text_dim,
          config->image_dim > 0 ? cat(", CLIP tokens ", config->image_dim) : std::string()));
  network.place = dit_place;
  return network;
}

Network as_vae(const NamedTensors& tensors) {
  Network network;
  const auto config = WanVae::infer(tensors);
  auto model = WanVae(config, at::Device(at::kMeta)).parameters();
  for (const auto* name : {"latent_mean", "latent_std"}) {
    if (has(tensors, name))
      model.emplace_back(name, at::empty({config.z_dim}, at::TensorOptions(at::kMeta)));
  }
  network.report = match(model, tensors);
  network.kind = "Wan VAE";
  std::string levels;
  for (const auto mult : config.dim_mult)
    levels += cat(levels.empty() ? "" : " ", mult * config.dim);
  network.facts.push_back(cat("z ", config.z_dim, ", channels ", levels, ", ",
                              config.num_res_blocks, " residual blocks per level"));
  network.facts.push_back(cat("strides ", config.temporal_stride(), " x ", config.spatial_stride(),
                              " x ", config.spatial_stride(), " (frames, height, width)"));
  network.place = vae_place;
  return network;
}

std::string umt5_place(const std::string& name) {
  if (name.starts_with("token_embedding")) return "words";
  if (name.find("pos_embedding") != std::string::npos) return "attention: relative places";
  if (name.find("attn.") != std::string::npos) return "attention";
  return name.find("ffn.") != std::string::npos ? "feed-forward" : "norm";
}

Network as_umt5(const NamedTensors& tensors) {
  Network network;
  const auto config = Umt5Encoder::infer(tensors);
  network.report = match(Umt5Encoder(config).parameters(), tensors);
  network.kind = cat("umT5 encoder", config.dim == 4096 && config.layers == 24 ? " XXL" : "");
  network.facts.push_back(cat("dim ", config.dim, ", ", config.layers, " layers, ffn ",
                              config.ffn_dim, ", heads ", config.heads, ", vocabulary ",
                              config.vocabulary));
  network.place = umt5_place;
  return network;
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

Network as_clip(const NamedTensors& tensors) {
  Network network;
  const auto config = ClipVision::infer(tensors);
  network.report = match(ClipVision(config).parameters(), tensors);
  std::erase_if(network.report.unexpected, is_text_tower);
  network.kind = cat("CLIP image tower", config.dim == 1280 && config.layers == 32 ? " ViT-H" : "");
  network.facts.push_back(cat("dim ", config.dim, ", ", config.layers, " layers, images ",
                              config.image, " x ", config.image, ", patches of ", config.patch));
  network.place = clip_place;
  return network;
}

}  // namespace

Network describe(const OfficialWeights& weights) {
  switch (weights.kind) {
    case WeightKind::dit:
      return as_dit(weights.tensors);
    case WeightKind::vae:
      return as_vae(weights.tensors);
    case WeightKind::umt5:
      return as_umt5(weights.tensors);
    default:
      return as_clip(weights.tensors);
  }
}

}  // namespace svi::inspect
