#include "vision/transformers/dreamsim.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"
#include "vision/preprocess.hpp"

namespace svi::vision {
namespace {

struct LowRank {
  at::Tensor a, b;  // [rank, in], [out, rank]
};

/// "blocks.0.attn.qkv" of a name of the adapter, or empty where it is of another branch.
std::string changed_layer(const std::string& name, const std::string& branch) {
  const auto at = name.find(branch);
  if (at == std::string::npos) return {};
  const auto begin = name.find("blocks.", at), end = name.find(".lora_", at);
  if (begin == std::string::npos || end == std::string::npos || begin > end) return {};
  return name.substr(begin, end - begin);
}

/// lora_alpha of an adapter_config.json.
double alpha_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  constexpr std::size_t kLongest = 1 << 20;
  for (char c = 0; text.size() < kLongest && in.get(c);) text.push_back(c);
  const std::string key = "\"lora_alpha\"";
  const auto at = text.find(key);
  const auto colon = at == std::string::npos ? at : text.find(':', at + key.size());
  char* end = nullptr;
  const char* begin = colon == std::string::npos ? nullptr : text.c_str() + colon + 1;
  const double alpha = begin == nullptr ? 0 : std::strtod(begin, &end);
  if (!(alpha > 0) || end == begin) {
    raise<IoError>(file, ": tells no lora_alpha above 0; take the adapter_config.json that lies ",
                   "beside the adapter");
  }
  return alpha;
}

struct NamePart {
  const char* theirs;
  const char* ours;
};
constexpr std::array kClipNames = {NamePart{"patch_embed.proj.", "conv1."},
                                   NamePart{"pos_drop.", "ln_pre."},
                                   NamePart{".norm1.", ".ln_1."},
                                   NamePart{".norm2.", ".ln_2."},
                                   NamePart{".attn.qkv.", ".attn.in_proj_"},
                                   NamePart{".attn.proj.", ".attn.out_proj."},
                                   NamePart{".mlp.fc1.", ".mlp.c_fc."},
                                   NamePart{".mlp.fc2.", ".mlp.c_proj."}};

std::string openai_name(std::string name) {
  for (const auto& [theirs, ours] : kClipNames) {
    if (const auto at = name.find(theirs); at != std::string::npos)
      name.replace(at, std::string(theirs).size(), ours);
  }
  if (name.starts_with("norm.")) name = "ln_post." + name.substr(5);
  if (name.starts_with("blocks.")) name = "transformer.res" + name;
  if (name == "cls_token") name = "class_embedding";
  if (name == "pos_embed") name = "positional_embedding";
  return "visual." + name;
}

Weights branch(const std::string& path, const NamedTensors& adapter, int number, double alpha,
               const DreamSimFiles& files, at::Device device) {
  auto tensors = with_low_rank(open_weights(path), adapter, number, alpha, files.lora);
  return {number == 0 ? tensors : by_openai_names(tensors), path, device};
}

}  // namespace

NamedTensors with_low_rank(NamedTensors weights, const NamedTensors& adapter, int branch,
                           double alpha, const std::string& file) {
  std::map<std::string, LowRank> changes;
  for (const auto& [name, tensor] : adapter) {
    const auto layer = changed_layer(name, cat("extractor_list.", branch, "."));
    if (layer.empty()) continue;
    (name.find(".lora_A") != std::string::npos ? changes[layer].a : changes[layer].b) = tensor;
  }
  if (changes.empty())
    raise<IoError>(file, ": changes nothing in extractor_list.", branch,
                   "; it is no adapter of DreamSim's ensemble");
  for (auto& [name, tensor] : weights) {
    const auto found = changes.find(name.substr(0, name.rfind('.')));
    if (!name.ends_with(".weight") || found == changes.end()) continue;
    const auto& [a, b] = found->second;
    if (!a.defined() || !b.defined() || a.dim() != 2 || b.dim() != 2 || b.size(1) != a.size(0) ||
        tensor.dim() != 2 || b.size(0) != tensor.size(0) || a.size(1) != tensor.size(1)) {
      raise<IoError>(file, ": its change of ", name, " in extractor_list.", branch,
                     " does not fit ", tensor.sizes());
    }
    const double scale = alpha / static_cast<double>(a.size(0));
    tensor = tensor.to(at::kFloat) + at::matmul(b.to(at::kFloat), a.to(at::kFloat)) * scale;
    changes.erase(found);
  }
  if (!changes.empty())
    raise<IoError>(file, ": changes ", changes.begin()->first, " in extractor_list.", branch,
                   ", which that network does not have");
  return weights;
}

NamedTensors by_openai_names(const NamedTensors& weights) {
  NamedTensors renamed;
  for (const auto& [name, tensor] : weights) {
    if (name == "cls_token")
      renamed.emplace_back(openai_name(name), tensor.flatten());
    else if (name == "pos_embed" && tensor.dim() == 3)
      renamed.emplace_back(openai_name(name), tensor[0]);
    else
      renamed.emplace_back(openai_name(name), tensor);
  }
  return renamed;
}

DreamSim::DreamSim(const DreamSimFiles& files, at::Device device)
    : DreamSim(files, device, open_weights(files.lora), alpha_of(files.lora_config)) {}

DreamSim::DreamSim(const DreamSimFiles& files, at::Device device, const NamedTensors& adapter,
                   double alpha)
    : dino_(branch(files.dino, adapter, 0, alpha, files, device)),
      clip_(branch(files.clip, adapter, 1, alpha, files, device), Gelu::quick),
      open_clip_(branch(files.open_clip, adapter, 2, alpha, files, device), Gelu::exact) {
  if (open_clip_.side() != clip_.side())
    raise<IoError>(files.open_clip, ": looks at frames of ", open_clip_.side(), " pixels, ",
                   files.clip, " at ", clip_.side());
}

at::Tensor DreamSim::operator()(const at::Tensor& frames) const {
  const auto for_clip = normalised(frames, kClip);
  auto x = at::cat(
      {dino_.before_norm(normalised(frames, kImageNet)), clip_(for_clip), open_clip_(for_clip)}, 1);
  x = x - x.mean(1, true);
  return x / x.norm(2, {1}, true).clamp_min(1e-12);
}

}  // namespace svi::vision
